// The sample application for scripts/bench: calls to R2 and to Durable Objects take longer, by what a network between them and the Worker would
// add. The times are assumptions of whoever measures. Nothing here is part of what users deploy.
import sample, { type Env } from "../sample/index.ts";
import { slow, slowStubs } from "./delay.ts";

export { UserDataStore } from "../src/index.ts";

interface SlowEnv extends Env {
  /** Milliseconds that each call of the bucket, or of a Durable Object, takes longer. */
  readonly R2_DELAY_MS: string;
  readonly STORE_DELAY_MS: string;
}

export default {
  async fetch(request: Request, env: SlowEnv): Promise<Response> {
    // The operator's own requests are not what is measured.
    if (new URL(request.url).pathname.startsWith("/_dbmigrate/")) return sample.fetch(request, env);
    return sample.fetch(request, {
      ...env,
      BUCKET: slow(env.BUCKET, () => Number(env.R2_DELAY_MS)),
      USER_DATA: slowStubs(env.USER_DATA, () => Number(env.STORE_DELAY_MS)),
    });
  },
} satisfies ExportedHandler<SlowEnv>;
