// `npm run check`: says who imports whom against the table, which files are too long, and where imports run in a circle.
// It only prints and chooses the exit code; `--root DIR` looks at another tree.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeImports } from './imports.ts'

const { values } = parseArgs({ options: { root: { type: 'string', default: resolve(import.meta.dirname, '..') } } })
const complaints = judgeImports(resolve(values.root))
for (const complaint of complaints) console.error(complaint)
if (complaints.length > 0) process.exitCode = 1
else console.log('imports: nothing to complain about')
