import { SessionEnded, type Session, wait } from "@memberstaff/client";
import Echo from "laravel-echo";
import type PusherClient from "pusher-js";

/** The data of `attendance.updated`: as Laravel sent it, and where it stands in its day's feed. */
export interface Updated {
  attendanceData: {
    id: string;
    staff_id: string;
    staff_name: string;
    staff_category: string;
    staff_photo: string | null;
    status: string;
    note: string | null;
    photo_url: string | null;
    date: string;
    updated_at: string;
  };
  cursor: string;
}

type Answer = { auth: string; channel_data?: string };
type Authorised = (error: Error | null, answer: Answer | null) => void;

// #region page
/** Laravel Echo on memberstaff. `Pusher` is what pusher-js exports, 7 or 8. */
export class Live {
  readonly echo: Echo<"pusher">;
  readonly #session: Session;
  readonly #cursors = new Map<string, string>(); // of each day's channel: of the last event that came

  constructor(session: Session, key: string, Pusher: typeof PusherClient) {
    const { protocol, hostname, port } = new URL(session.address);
    this.#session = session;
    this.echo = new Echo({
      broadcaster: "pusher",
      key,
      wsHost: hostname,
      wsPort: Number(port || 80),
      wssPort: Number(port || 443),
      forceTLS: protocol === "https:",
      disableStats: true,
      cluster: "",
      enabledTransports: ["ws"], // with TLS too; without this pusher-js asks pusher.com while the server is away
      activityTimeout: 30_000, // pusher-js 7 gives up when twice a connection breaks within twice this time
      Pusher,
      authorizer: ({ name }: { name: string }) => ({
        authorize: (socketId: string, done: Authorised) => void this.#authorise(socketId, name, done),
      }),
    });
  }

  /** Every change of a day, once and in order. `load` shows the day and answers its `feedCursor`. */
  async watchDay(date: string, load: () => Promise<string>, onChange: (update: Updated) => void): Promise<void> {
    const name = `private-attendance.${date}`;
    this.#cursors.set(name, await load());
    const channel = this.echo.private(`attendance.${date}`).listen(".attendance.updated", (update: Updated) => {
      this.#cursors.set(name, update.cursor);
      onChange(update);
    });
    channel.error(async ({ status }: { status?: number }) => {
      if (status === 409) this.#cursors.set(name, await load()); // too long away: the day is read anew
      if (status === 409 || status === 500) channel.subscription.subscribe();
    });
  }

  /** Changes of all days. What came while there was no connection is not sent again: so `load` whenever there is one. */
  watch(load: () => void, onChange: (update: Updated) => void): void {
    this.echo.private("attendance").subscribed(load).listen(".attendance.updated", onChange);
  }

  /** Ask for a channel as long as this is the connection's socket; a refused token is renewed once. */
  async #authorise(socketId: string, channel: string, done: Authorised): Promise<void> {
    const { address } = this.#session;
    let renewed = false;
    for (let tries = 0; this.echo.socketId() === socketId; tries += 1) {
      try {
        const token = await this.#session.token();
        const fields = { socket_id: socketId, channel_name: channel, cursor: this.#cursors.get(channel) };
        const response = await fetch(`${address}/broadcasting/auth`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify(fields),
        });
        const answer = (await response.json()) as Answer & { message?: string };
        if (this.echo.socketId() !== socketId) return; // the next connection asks for itself
        if (response.ok) return done(null, answer);
        if (response.status === 401 && !renewed) {
          renewed = true;
          await this.#session.refused(token);
          continue;
        }
        if (response.status < 500 && response.status !== 429) return done(new Error(answer.message), null);
      } catch (error) {
        if (error instanceof SessionEnded) return done(error, null);
      }
      await wait(tries);
    }
  }
}
// #endregion
