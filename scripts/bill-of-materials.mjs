// `npm run sbom [-- --write]`: prints the bill of materials (CycloneDX JSON) that packages carry, or writes it to
// out/sbom.cdx.json, where electron-builder takes it from.
import { billOfMaterials, writeBillOfMaterials } from './package/bill-of-materials.mjs';

if (process.argv.includes('--write')) writeBillOfMaterials();
else process.stdout.write(`${JSON.stringify(billOfMaterials(), null, 2)}\n`);
