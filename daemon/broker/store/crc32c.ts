// The checksum of LevelDB's files: CRC-32C (Castagnoli), which Node has not. Every start takes it of the whole queue, so
// it goes four bytes at a time: the tables say what a byte does to the sum where no, one, two or three bytes follow it.
const tables = new Int32Array(4 * 256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  tables[byte] = crc
}
for (let at = 256; at < tables.length; at++) {
  const before = tables[at - 256] ?? 0
  tables[at] = (tables[before & 0xff] ?? 0) ^ (before >>> 8)
}

/** Of the bytes from `from` up to `to`. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let crc = -1
  let at = from
  for (; at + 4 <= to; at += 4) {
    crc ^= words.getInt32(at, true)
    crc = (tables[768 + (crc & 0xff)] ?? 0) ^ (tables[512 + (crc >>> 8 & 0xff)] ?? 0)
      ^ (tables[256 + (crc >>> 16 & 0xff)] ?? 0) ^ (tables[crc >>> 24] ?? 0)
  }
  for (; at < to; at++) crc = (tables[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** As LevelDB stores it, so that a checksum of bytes that hold checksums means something. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
