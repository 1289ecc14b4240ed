// The official TypeScript SDK against the emulator: each line is one thing that was done and how it ended.

import { mkdtempSync, mkdirSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daytona, Image, DaytonaNotFoundError, DaytonaConflictError } from '@daytona/sdk';

let failures = 0;
const check = (name, isSo, seen) => {
  if (!isSo) failures += 1;
  console.log(`${isSo ? 'ok  ' : 'FAIL'} typescript: ${name}${isSo ? '' : ` -- ${typeof seen === 'string' ? seen : seen?.stack ?? JSON.stringify(seen)}`}`);
};
const errorOf = async (call) => {
  try { await call(); return null; } catch (error) { return error; }
};
const admin = async (method, path, body) => {
  const address = process.env.DAYTONA_API_URL.replace(/\/api$/, '') + '/_emulator' + path;
  const headers = { Authorization: `Bearer ${process.env.DAYTONA_EMULATOR_ADMIN_KEY}` };
  const answer = await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return answer.json();
};

const daytona = new Daytona({ target: 'us' });
const snapshots = daytona.snapshot;

const before = await snapshots.list();
check('list answers with a page', Array.isArray(before.items) && before.page === 1, before);

const made = await snapshots.create({ name: 'ts-image', image: 'ubuntu:22.04', resources: { cpu: 1, memory: 2 } });
check('create from an image name', made.state === 'active' && made.mem === 2, made);
check('get by name', (await snapshots.get('ts-image')).id === made.id, made);
check('get by id', (await snapshots.get(made.id)).name === 'ts-image', made);
check('list finds it', (await snapshots.list(1, 100)).items.some((one) => one.name === 'ts-image'), null);

let error = await errorOf(() => snapshots.create({ name: 'ts-image', image: 'ubuntu:22.04' }));
check('a name that is taken is a conflict', error instanceof DaytonaConflictError, error);
error = await errorOf(() => snapshots.get('nowhere'));
check('what is not there is not found', error instanceof DaytonaNotFoundError, error);
error = await errorOf(() => snapshots.create({ name: 'ts-latest', image: 'ubuntu:latest' }));
check('a latest tag is refused', error?.statusCode === 400 && error.message.includes(':latest'), error);

const root = mkdtempSync(join(tmpdir(), 'peer-'));
mkdirSync(join(root, 'app', 'sub'), { recursive: true });
writeFileSync(join(root, 'app', 'main.py'), "print('hello')\n");
writeFileSync(join(root, 'app', 'sub', 'data.txt'), 'data\n');
writeFileSync(join(root, 'run.sh'), '#!/bin/sh\n');
chmodSync(join(root, 'run.sh'), 0o755);
process.chdir(root);
const image = Image.debianSlim('3.12')
  .pipInstall(['numpy>=2', 'requests'])
  .addLocalFile('run.sh', '/opt/run.sh')
  .addLocalDir('app', '/opt/app')
  .env({ MODE: 'test' })
  .entrypoint(['/opt/run.sh']);
const lines = [];
// Long enough for the SDK, which looks once a second, to see the build.
await admin('POST', '/scripts', { name: 'ts-built', takes: 4000 });
const built = await snapshots.create({ name: 'ts-built', image }, { onLogs: (line) => lines.push(line) });
const text = lines.join('');
check('create from an Image with a file and a folder', built.state === 'active', built);
check("the entrypoint is the Dockerfile's", JSON.stringify(built.entrypoint) === '["/opt/run.sh"]', built.entrypoint);
check('its log was streamed', text.includes('RUN python -m pip install') && text.includes('Created snapshot ts-built'), text);
const files = Object.fromEntries((await admin('GET', '/images/ts-built')).files.map((file) => [file.path, file.size]));
check('the files are in the image', JSON.stringify(files) === '{"/opt/app/main.py":15,"/opt/app/sub/data.txt":5,"/opt/run.sh":10}', files);

error = await errorOf(() => snapshots.create({ name: 'ts-fails', image: Image.base('alpine:3.20').runCommands('exit 7') }));
check("a failing build has the server's reason", error?.message.includes('process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'), error);

await admin('POST', '/scripts', { image: 'nonexistent:2.0', notInRegistry: true });
error = await errorOf(() => snapshots.create({ name: 'ts-unknown', image: 'nonexistent:2.0' }));
check("an unknown image has the server's reason", error?.message.includes('failed to inspect in registry'), error);

error = await errorOf(() => snapshots.activate(made));
check('an active one is not activated', error?.message.includes('is already active'), error);
await snapshots.delete(made);
check('delete marks for removal', (await snapshots.get('ts-image')).state === 'removing', null);
await admin('POST', '/clock', { advance: 11000 });
error = await errorOf(() => snapshots.get('ts-image'));
check('a deleted one goes', error instanceof DaytonaNotFoundError, error);

// An open socket of the SDK would keep the process alive.
process.exit(failures ? 1 : 0);
