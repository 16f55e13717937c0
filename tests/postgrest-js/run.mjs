// Starts the binary that is named on a recorded shop, and reads from it with PostgREST's own client.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgrestClient } from "@supabase/postgrest-js";

import { CHECKS } from "./checks.mjs";
import { RELATIONS, writeShop } from "./shop.mjs";

const START_MS = 60_000;

const binary = process.argv[2];
assert(binary, "usage: node run.mjs path/to/rowtide");

const folder = mkdtempSync(join(tmpdir(), "rowtide-postgrest-"));
const [data, admin] = [await freePort(), await freePort()];
mkdirSync(join(folder, "records"));
writeShop(join(folder, "records", "shop.jsonl"));
writeFileSync(
  join(folder, "rowtide.toml"),
  `data_dir = "${join(folder, "data")}"
[listen]
data = "127.0.0.1:${data}"
admin = "127.0.0.1:${admin}"
[[sources]]
name = "shop"
kind = "file"
path = "${join(folder, "records")}"
${RELATIONS}`,
);
const server = spawn(binary, ["serve", "--config", join(folder, "rowtide.toml")], {
  stdio: ["ignore", "pipe", "pipe"],
});
let log = "";
server.stdout.on("data", (text) => (log += text));
server.stderr.on("data", (text) => (log += text));
const ended = new Promise((resolve) => server.on("exit", resolve));

let failed = 0;
try {
  await started();
  const client = new PostgrestClient(`http://127.0.0.1:${data}/rest/v1`);
  for (const [name, ask, expected] of CHECKS) {
    const answer = shown(await ask(client));
    try {
      assert.deepEqual(answer, expected);
    } catch (difference) {
      failed += 1;
      console.log(`FAILED ${name}\n${difference.message}`);
    }
  }
  console.log(`postgrest-js: ${CHECKS.length - failed} passed, ${failed} failed`);
} catch (error) {
  failed += 1;
  console.log(`${error.stack}\n${log}`);
} finally {
  server.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);

// What a program sees of an answer, without what is always so.
function shown({ data, error, count, status }) {
  const answer = { status };
  if (error) answer.error = { code: error.code, message: error.message, details: error.details, hint: error.hint };
  else if (data !== null) answer.data = data;
  if (count !== null && count !== undefined) answer.count = count;
  return answer;
}

async function started() {
  for (const end = Date.now() + START_MS; Date.now() < end; ) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${admin}/startupz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server did not start in time");
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
