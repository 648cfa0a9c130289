#!/usr/bin/env node
// The daemon as it runs in a clone (`npx backhauld`). Installed, its place is taken by dist/backhauld.js.
import '../scripts/no-debugger.js'
import { followNpx, loadMain } from '../scripts/launch.js'

followNpx('SIGTERM')
const main = await loadMain(new URL('main.ts', import.meta.url))
await main(process.argv.slice(2))
