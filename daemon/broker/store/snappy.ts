// Unpacks Snappy, in which LevelDB packs blocks: a length, then pieces that are either bytes or copies of what came before.

/** `null` where it is not what Snappy makes. */
export function unpack(packed: Buffer): Buffer | null {
  let at = 0
  let length = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = packed[at++] ?? 0
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (length > 64 * 1024 * 1024) return null
  const out = Buffer.alloc(length)
  let filled = 0
  while (at < packed.length) {
    const tag = packed[at++] ?? 0
    const kind = tag & 3
    let count = (tag >>> 2) + 1
    if (kind === 0) {
      const more = count > 60 ? count - 60 : 0
      if (at + more > packed.length) return null
      if (more > 0) count = packed.readUIntLE(at, more) + 1
      at += more
      if (at + count > packed.length || filled + count > length) return null
      // Byte by byte: most pieces are a few bytes.
      for (let each = 0; each < count; each++) out[filled++] = packed[at++] ?? 0
      continue
    }
    const width = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + width > packed.length) return null
    const back = packed.readUIntLE(at, width) + (kind === 1 ? (tag >>> 5) * 256 : 0)
    if (kind === 1) count = ((tag >>> 2) & 7) + 4
    at += width
    if (back === 0 || back > filled || filled + count > length) return null
    // Byte by byte: a copy may reach into itself.
    for (let each = 0; each < count; each++, filled++) out[filled] = out[filled - back] ?? 0
  }
  return filled === length ? out : null
}
