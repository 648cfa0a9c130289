#!/usr/bin/env node
// The command line as it runs in a clone (`npx backhaul`). Installed, its place is taken by dist/backhaul.js.
import { followNpx, loadMain } from '../../scripts/launch.js'

followNpx('SIGINT')
const main = await loadMain(new URL('main.ts', import.meta.url))
process.exitCode = await main(process.argv.slice(2))
