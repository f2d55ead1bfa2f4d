import { memo, useState } from "react";

/** A person's photo, or their initials if there is none or it fails to load. Decorative: the name is next to it. */
export const Avatar = memo(function Avatar({ name, url }: { name: string; url: string | null | undefined }) {
  const [failed, setFailed] = useState<string | null>(null);
  return (
    <span className="avatar" aria-hidden="true">
      {url && url !== failed ? (
        <img src={url} alt="" decoding="async" referrerPolicy="no-referrer" onError={() => setFailed(url)} />
      ) : (
        initials(name)
      )}
    </span>
  );
});

export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => Array.from(word ?? "")[0] ?? "");
  return letters.join("").toLocaleUpperCase();
}
