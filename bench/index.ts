// `npm run bench` prints a table, `npm run bench -- --json` one object, `-- --quick` a rough look.
import { type InboundResult, measureInbound } from './inbound.js'

const isJson = process.argv.includes('--json')
const isQuick = process.argv.includes('--quick')

const inbound = await measureInbound({
  messages: isQuick ? 20_000 : 100_000,
  rounds: isQuick ? 3 : 9,
  shoots: [1, 100, 10_000],
})

if (isJson) {
  console.log(JSON.stringify({ inbound }))
} else {
  console.log('Inbound: validation, streams, folding; 1 is raw ws + JSON.parse + switch\n')
  console.table(inbound.map(row))
}

function row(result: InboundResult) {
  return {
    variant: result.variant,
    shoots: result.shoots,
    ratio: result.ratio.toFixed(2),
    'low to high': `${result.lowest.toFixed(2)} to ${result.highest.toFixed(2)}`,
    'messages/s': result.perSecond,
  }
}
