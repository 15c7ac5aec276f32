import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalBroker } from "../../server/stores/local-broker.ts";
import { DiskStore, type DiskStoreOptions } from "../../server/stores/disk/disk-store.ts";

/** Gives tests folders of their own and stores in them, and takes all of it away. */
export class DataFolders {
  readonly #folders: string[] = [];
  readonly #stores: DiskStore[] = [];

  make(): string {
    const folder = mkdtempSync(join(tmpdir(), "roomcast-data-"));
    this.#folders.push(folder);
    return folder;
  }

  async open(options: Partial<DiskStoreOptions> = {}): Promise<DiskStore> {
    const store = await DiskStore.open({ folder: options.folder ?? this.make(), ...options });
    this.#stores.push(store);
    return store;
  }

  async broker(options: Partial<DiskStoreOptions> = {}): Promise<LocalBroker> {
    const store = await this.open(options);
    return new LocalBroker(store, { onClose: () => store.close() });
  }

  async remove(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()));
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}
