// `npm run bench` prints tables. `-- --json` prints one object. `-- --quick` measures less.
import { type AcknowledgedResult, measureAcknowledged } from './acknowledged.js'
import { type InboundResult, measureInbound } from './inbound.js'
import { measureResume } from './resume.js'

const isJson = process.argv.includes('--json')
const isQuick = process.argv.includes('--quick')

const inbound = await measureInbound({
  messages: isQuick ? 20_000 : 100_000,
  rounds: isQuick ? 3 : 9,
  shoots: [1, 100, 10_000],
})
const acknowledged = await measureAcknowledged({
  messages: isQuick ? 5_000 : 20_000,
  roundTrips: isQuick ? 200 : 1_000,
  rounds: isQuick ? 3 : 9,
})
const resume = await measureResume(10_000, isQuick ? 3 : 9)

if (isJson) {
  console.log(JSON.stringify({ inbound, acknowledged, resume }))
} else {
  console.log('Inbound: validation, streams, folding; 1 is raw ws + JSON.parse + switch\n')
  console.table(inbound.map(inboundRow))
  console.log('\nAcknowledged messages; 1 is raw ws, request and response\n')
  console.table(acknowledged.map(acknowledgedRow))
  console.log(
    `\nResume after ${resume.missed} missed messages: ${resume.resumeMs.toFixed(0)} ms;` +
      ` raw ws receives as many in ${resume.floorMs.toFixed(0)} ms (ratio ${resume.ratio.toFixed(2)})`,
  )
}

function inboundRow(result: InboundResult) {
  return {
    variant: result.variant,
    shoots: result.shoots,
    ratio: result.ratio.toFixed(2),
    'low to high': `${result.lowest.toFixed(2)} to ${result.highest.toFixed(2)}`,
    'messages/s': result.perSecond,
  }
}

function acknowledgedRow(result: AcknowledgedResult) {
  return {
    variant: result.variant,
    ratio: result.ratio.toFixed(2),
    'low to high': `${result.lowest.toFixed(2)} to ${result.highest.toFixed(2)}`,
    'messages/s': result.perSecond,
    'round trip (us)': result.roundTripUs,
    'of raw': result.roundTripRatio.toFixed(2),
  }
}
