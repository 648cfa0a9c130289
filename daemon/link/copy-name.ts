// What a file is called where its own name is taken: `name (1).ext`. The worker tries these names in order and reports the number; the
// broker makes the same name of it, so that a worker cannot give a file any other.
export const mostCopies = 999
/** What nearly every file system takes for one name. */
const longestNameBytes = 255

/** `copy` 0 is the name itself. */
export function copyName(name: string, copy: number): string {
  if (copy === 0) return name
  const [, stem = name, extension = ''] = /^(.+?)((?:\.tar)?\.[^.\s]{1,16})$/su.exec(name) ?? []
  const end = ` (${copy})${extension}`
  const characters = [...stem]
  while (characters.length > 1 && Buffer.byteLength(characters.join('') + end) > longestNameBytes) characters.pop()
  return characters.join('') + end
}

/** The same for a whole path; text only. */
export function copyPath(localName: string, copy: number): string {
  const nameAt = Math.max(localName.lastIndexOf('/'), localName.lastIndexOf('\\')) + 1
  return localName.slice(0, nameAt) + copyName(localName.slice(nameAt), copy)
}
