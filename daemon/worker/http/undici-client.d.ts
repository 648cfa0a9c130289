// The one module of undici that is loaded. The package declares the types of its entry alone.
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici'
  export default Client
}
