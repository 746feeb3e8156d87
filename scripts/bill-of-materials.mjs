// `npm run sbom`: prints the bill of materials (CycloneDX JSON) that packages carry.
import { billOfMaterials } from './package/bill-of-materials.mjs';

process.stdout.write(`${JSON.stringify(billOfMaterials(), null, 2)}\n`);
