/** A user, as the sign-in API describes them. */
export type DemoUser = { id: string; email: string; firstName: string; lastName: string }

/** The demo's only user. */
export const ada: DemoUser = {
  id: 'ada',
  email: 'ada@example.com',
  firstName: 'Ada',
  lastName: 'Lovelace',
}
