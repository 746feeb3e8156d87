// Called by electron-builder before the application is signed: the installed program never runs another folder's code,
// so that Electron's default application has no place in it.
const { rmSync } = require('node:fs');
const { join } = require('node:path');

exports.default = async function afterPack({ appOutDir }) {
  rmSync(join(appOutDir, 'resources', 'default_app.asar'), { force: true });
};
