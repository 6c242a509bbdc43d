/** A user, as sign-in tells of them. */
export type DemoUser = { id: string; email: string; firstName: string; lastName: string }

/** The demo's one user: whoever sits in front of it. */
export const ada: DemoUser = {
  id: 'ada',
  email: 'ada@example.com',
  firstName: 'Ada',
  lastName: 'Lovelace',
}
