// Gateway API manifests against the project's own schemas: node gateway.mjs FILE ...
import { readFileSync } from "node:fs";
import { loadAll } from "js-yaml";

const group = "gateway.networking.k8s.io/";
let looked = 0;
let wrong = 0;
for (const file of process.argv.slice(2)) {
  for (const document of loadAll(readFileSync(file, "utf8"))) {
    if (!document?.apiVersion?.startsWith(group)) continue;
    looked += 1;
    const models = await import(`@kubernetes-models/gateway-api/${document.apiVersion}/${document.kind}`);
    try {
      new models[document.kind](document).validate();
    } catch (error) {
      wrong += 1;
      console.error(`${file}: ${document.kind}: ${error.message}`);
    }
  }
}
console.log(`${looked} Gateway API documents looked at, ${wrong} wrong`);
process.exit(wrong > 0 || looked === 0 ? 1 : 0);
