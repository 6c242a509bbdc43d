import { connectStatewire } from './bench/delivery-clients.js'
import { startServers } from './bench/delivery-worker.js'
const servers = await startServers()
const c = await connectStatewire(servers.ports.sync)
for (let r = 0; r < 6; r++) {
  let t = performance.now()
  for (let i = 0; i < 3000; i++) await c.send('x' + i)
  console.log('rt us', (performance.now() - t) / 3)
  t = performance.now(); let next = 0
  await Promise.all(Array.from({ length: 256 }, async () => { while (next < 20000) { next++; await c.send('a message of the usual length ' + next) } }))
  console.log('per s', 20000 / (performance.now() - t) * 1000)
}
c.close(); servers.stop()
