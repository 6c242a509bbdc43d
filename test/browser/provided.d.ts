import type { ScriptedServerAddresses } from '../compliance/play.js'

declare module 'vitest' {
  interface ProvidedContext {
    scriptedServer: ScriptedServerAddresses
  }
}
