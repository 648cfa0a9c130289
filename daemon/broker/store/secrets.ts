// Header values, which may be passwords and tokens, as they lie on disk: sealed with AES-256-GCM, bound to their job. In memory they are
// plain, since the worker that sends them must have them. The invariant: what goes into the store was sealed; what cannot be
// unsealed is never sent, and its job waits for its owner.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { JobRecord } from '../../core/job.ts'
import { heldBack } from '../../core/recovery.ts'
import type { Log } from '../../log.ts'
import type { Keys } from './secret-key.ts'

type Headers = JobRecord['options']['http']['headers']

/** No name of a header, so that it cannot be one. */
const sealedName = '(sealed)'
const cipherName = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

export class Secrets {
  readonly #keys: Keys
  /** Headers change seldom and jobs are written often. */
  readonly #sealed = new WeakMap<Headers, { readonly jobId: string; readonly headers: Headers }>()

  constructor(keys: Keys) {
    this.#keys = keys
  }

  /** The record as it may lie on disk. */
  seal(job: JobRecord): JobRecord {
    const { headers } = job.options.http
    if (Object.keys(headers).length === 0) return job
    const known = this.#sealed.get(headers)
    if (known?.jobId === job.id) return withHeaders(job, known.headers)
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv(cipherName, this.#keys.present, nonce).setAAD(Buffer.from(job.id))
    const text = Buffer.concat([cipher.update(JSON.stringify(headers), 'utf8'), cipher.final()])
    const sealed = { [sealedName]: Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64') }
    this.#sealed.set(headers, { jobId: job.id, headers: sealed })
    return withHeaders(job, sealed)
  }

  /** The record as it was. Where the key does not fit the job loses its headers and is suspended, so that nothing is sent without them. */
  unseal(job: JobRecord, log: Log): JobRecord {
    const sealed = job.options.http.headers[sealedName]
    if (typeof sealed !== 'string') return job
    for (const key of [this.#keys.present, ...this.#keys.earlier]) {
      const headers = open(key, job.id, Buffer.from(sealed, 'base64'))
      if (headers) return withHeaders(job, headers)
    }
    log.error({ jobId: job.id, owner: job.owner.id }, 'the headers of a job cannot be read with the present key: they are lost, and the job is suspended')
    return heldBack(withHeaders(job, {}))
  }
}

function open(key: Buffer, jobId: string, sealed: Buffer): Headers | null {
  try {
    const decipher = createDecipheriv(cipherName, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes }).setAAD(Buffer.from(jobId))
    decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes))
    return JSON.parse(decipher.update(sealed.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8')) as Headers
  } catch (error) {
    // Only the tag tells whether it is the right key, and it does so by throwing.
    if (error instanceof Error) return null
    throw error
  }
}

function withHeaders(job: JobRecord, headers: Headers): JobRecord {
  return { ...job, options: { ...job.options, http: { ...job.options.http, headers } } }
}
