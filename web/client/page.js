// watchPage listens to what becomes of the page and the network: ack, where it may not live to ack later; wake, where it or the network has come back;
// hide(persisted), where it is left; back, where it comes out of the back-forward cache. It returns a function that ends it. Where there is no page, as in Node, it hears nothing.
export const watchPage = ({ ack, wake, hide, back }) => {
  const page = globalThis.document
  const controller = new AbortController()
  const on = (target, type, listener) => target?.addEventListener?.(type, listener, { signal: controller.signal })
  for (const type of ["online", "offline"]) on(globalThis, type, wake)
  on(globalThis, "pageshow", ({ persisted }) => persisted && back())
  on(globalThis, "pagehide", ({ persisted }) => {
    ack()
    hide(persisted)
  })
  on(page, "freeze", ack)
  on(page, "resume", wake)
  on(page, "visibilitychange", () => (page.visibilityState == "hidden" ? ack() : wake()))
  return () => controller.abort()
}
