// rpc.discover: the OpenRPC description. Made once; it does not change while the daemon runs.
import { openRpcDocument } from '../../../protocol/openrpc.ts'
import type { MethodOf } from './call.ts'

let made: Record<string, unknown> | null = null

export const rpcDiscover: MethodOf<'rpc.discover'> = () => {
  made ??= openRpcDocument()
  return { openrpc: '', ...made }
}
