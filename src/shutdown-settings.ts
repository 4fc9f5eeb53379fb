/** The settings that say how the server ends: rows of config.ts's table. */
import { wholeNumber } from './setting-types.ts'

export const SHUTDOWN_SETTINGS = {
  SHUTDOWN_DELAY_SECONDS: {
    schema: wholeNumber(0, 600),
    fallback: '0',
    about:
      'After SIGTERM: so long the port stays open and `/readyz` says 503, for balancers that have to notice; 5 in Kubernetes',
  },
  DRAIN_SECONDS: {
    schema: wholeNumber(0, 86_400),
    fallback: '30',
    about:
      'Then: so long running requests may finish; whoever is left is told to come back. Longer grace for the container',
  },
} as const
