// The table of methods; leaving one out does not compile.
import type { MethodName } from '../../../protocol/methods.ts'
import type { MethodOf } from './call.ts'
import { callbackRegister } from './callback-register.ts'
import { callbackUnregister } from './callback-unregister.ts'
import { eventsUnwatch } from './events-unwatch.ts'
import { eventsWatch } from './events-watch.ts'
import { fileGet } from './file-get.ts'
import { fileList } from './file-list.ts'
import { fileUpdate } from './file-update.ts'
import { jobAddFiles } from './job-add-files.ts'
import { jobCancel } from './job-cancel.ts'
import { jobComplete } from './job-complete.ts'
import { jobCreate } from './job-create.ts'
import { jobExplain } from './job-explain.ts'
import { jobGet } from './job-get.ts'
import { jobList } from './job-list.ts'
import { jobReplaceRemotePrefix } from './job-replace-remote-prefix.ts'
import { jobResume } from './job-resume.ts'
import { jobSuspend } from './job-suspend.ts'
import { jobTakeOwnership } from './job-take-ownership.ts'
import { jobUpdate } from './job-update.ts'
import { jobWait } from './job-wait.ts'
import { policyGet } from './policy-get.ts'
import { queueStats } from './queue-stats.ts'
import { rpcDiscover } from './rpc-discover.ts'
import { sessionHello } from './session-hello.ts'
import { systemPing } from './system-ping.ts'

export const methodTable: { readonly [Name in MethodName]: MethodOf<Name> } = {
  'session.hello': sessionHello,
  'rpc.discover': rpcDiscover,
  'system.ping': systemPing,
  'queue.stats': queueStats,
  'policy.get': policyGet,
  'job.create': jobCreate,
  'job.addFiles': jobAddFiles,
  'job.get': jobGet,
  'job.list': jobList,
  'job.update': jobUpdate,
  'job.resume': jobResume,
  'job.suspend': jobSuspend,
  'job.cancel': jobCancel,
  'job.complete': jobComplete,
  'job.wait': jobWait,
  'job.explain': jobExplain,
  'file.list': fileList,
  'file.get': fileGet,
  'file.update': fileUpdate,
  'job.replaceRemotePrefix': jobReplaceRemotePrefix,
  'job.takeOwnership': jobTakeOwnership,
  'callback.register': callbackRegister,
  'callback.unregister': callbackUnregister,
  'events.watch': eventsWatch,
  'events.unwatch': eventsUnwatch,
}
