import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Device } from 'statewire/kull'

/**
 * The user's connected devices. The server does not tell a device which devices were connected
 * before it.
 */
export function devicesView(devices: Iterable<Device>, ownDeviceId: string): TemplateResult {
  const all = [...devices]
  return html`<section class="card" aria-labelledby="devices-title">
    <h2 id="devices-title">Connected devices</h2>
    ${
      all.length === 0
        ? html`<p class="quiet">None that we know of.</p>`
        : html`<ul class="devices">
            ${repeat(
              all,
              ({ deviceId }) => deviceId,
              (device) => deviceView(device, device.deviceId === ownDeviceId),
            )}
          </ul>`
    }
  </section>`
}

function deviceView(device: Device, isOwn: boolean): TemplateResult {
  const { deviceId, deviceName, platform, isConfirmed } = device
  return html`<li
    class="row"
    data-test="device"
    data-device=${deviceId}
    data-confirmed=${String(isConfirmed)}
  >
    <span class="dot" aria-hidden="true"></span>
    <span class="name clipped">${deviceName ?? deviceId}</span>
    ${platform === undefined ? nothing : html`<span class="quiet">${platform}</span>`}
    ${isOwn ? html`<span class="tag">this device</span>` : nothing}
    ${isConfirmed ? nothing : html`<span class="tag" data-status="failed">unconfirmed</span>`}
  </li>`
}
