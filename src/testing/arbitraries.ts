export { arbitraryFaultScript } from './arbitrary-faults.js'
export {
  type ArbitraryFrameOptions,
  arbitraryFrame,
  arbitraryMessage,
  arbitrarySend,
  type DrawnMessage,
} from './arbitrary-message.js'
export { type ArbitraryOptions, arbitraryValue } from './arbitrary-value.js'
