// Reads the imports of every TypeScript file and compares them with the table. It judges; printing is left to check-imports.ts.
// Dynamic imports and types of modules count like any other, as long as the name is a literal.
// Invariant: a file that fits no row, or an import that cannot be placed, is a complaint and never passed over.
import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix } from 'node:path'
import typescript from 'typescript'
import { type Layer, layers, packages } from './import-table.ts'
import { listFiles } from './test-files.ts'

const linesAllowed = 250

const impure = /\b(Date\.now|new Date\(\)|performance\.|Math\.random|set(Timeout|Interval|Immediate)\b|crypto\b|process\.)/

/** One sentence for each thing that is wrong in the tree at `root`. */
export function judgeImports(root: string): string[] {
  const files = listFiles(root, (path) => /(?<!\.d)\.ts$/.test(path))
  if (files.length === 0) return ['there is no TypeScript file to check']
  const graph = new Map<string, string[]>()
  const complaints: string[] = []
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8')
    const names = typescript.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
    const own = names.filter((name) => name.startsWith('.')).map((name) => posix.join(posix.dirname(file), name))
    graph.set(file, own)
    const layer = layers.find(({ files }) => fits(file, files))
    if (layer === undefined) {
      complaints.push(`${file} fits no row of the table`)
      continue
    }
    complaints.push(
      ...own.flatMap((target) => judgeOwn(root, file, target, layer)),
      ...names.filter((name) => !name.startsWith('.')).flatMap((name) => judgeForeign(file, name, layer)),
      ...judgeText(file, text, layer),
    )
  }
  return [...complaints, ...findCircles(graph)]
}

function judgeOwn(root: string, file: string, target: string, layer: Layer): string[] {
  if (!/\.(ts|js|json)$/.test(target) || !existsSync(join(root, target))) {
    return [`${file} imports ${target}, which is not a file (imports name the file)`]
  }
  if (!isTest(file) && isTest(target)) return [`${file} imports ${target}: nothing leans on a test`]
  if (target.endsWith('.json')) return []
  const isAllowed = layer.may.some((pattern) => fits(target, pattern)) && !layer.mayNot?.some((pattern) => fits(target, pattern))
  return isAllowed ? [] : [`${file} imports ${target}: ${layer.why}`]
}

function judgeForeign(file: string, name: string, layer: Layer): string[] {
  if (isBuiltin(name)) {
    if (!name.startsWith('node:')) return [`${file} imports ${name} without node: before it`]
    return layer.free !== undefined ? [`${file} imports ${name}: ${layer.why}`] : []
  }
  const packageName = name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/')
  const rule = packages[packageName]
  if (rule === undefined) return [`${file} imports ${packageName}, which has no row in the table`]
  const isAllowed = isTest(file) || rule.files.some((pattern) => fits(file, pattern))
  return isAllowed ? [] : [`${file} imports ${packageName}: ${rule.why}`]
}

function judgeText(file: string, text: string, layer: Layer): string[] {
  const complaints: string[] = []
  const lines = text.trimEnd().split('\n').length
  if (!isTest(file) && lines > linesAllowed) complaints.push(`${file} has ${lines} lines; ${linesAllowed} are the ceiling`)
  if (layer.free === 'of node, clock and randomness') {
    const found = impure.exec(withoutComments(text))
    if (found !== null) complaints.push(`${file} uses ${found[0]}: ${layer.why}`)
  }
  return complaints
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '')
}

/** Each circle once, beginning with its first file by name. */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const circles = new Set<string>()
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const from = path.indexOf(file)
    if (from >= 0) {
      const circle = path.slice(from)
      const start = circle.indexOf([...circle].sort()[0] ?? file)
      const turned = [...circle.slice(start), ...circle.slice(0, start)]
      circles.add(`a circle of imports: ${[...turned, turned[0]].join(' → ')}`)
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return [...circles]
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || dirname(file).startsWith('daemon/test')
}

function fits(file: string, pattern: string): boolean {
  const source = pattern.split(/(\*\*\/?|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    return part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
  }).join('')
  return new RegExp(`^${source}$`).test(file)
}
