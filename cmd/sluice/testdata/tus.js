// Uploads a file as the settings in argv say, and prints a line for each answer
// and for how it ended. At `wait` bytes it stops short until a line comes in.
const fs = require('fs')
const tus = require('tus-js-client')

const settings = JSON.parse(process.argv[2])
const print = (line) => fs.writeSync(1, line + '\n')
let waited = false

const upload = new tus.Upload(fs.createReadStream(settings.file), {
  endpoint: settings.endpoint,
  headers: { Authorization: `Bearer ${settings.token}` },
  metadata: { filename: settings.name, filetype: 'video/mp4' },
  chunkSize: settings.chunk || Infinity,
  urlStorage: new tus.FileUrlStorage(settings.urls),
  retryDelays: settings.retry ? Array(20).fill(200) : null,
  onBeforeRequest(request) {
    if (settings.checksum && request.getMethod() === 'PATCH') {
      request.setHeader('Upload-Checksum', settings.checksum)
    }
  },
  onAfterResponse(request, response) {
    print(`${request.getMethod()} ${response.getStatus()} ${response.getHeader('Upload-Offset') ?? ''}`)
  },
  onProgress(sent) {
    if (!settings.wait || waited || sent < settings.wait) return
    waited = true
    print('waiting')
    if (settings.terminate) {
      upload.abort(true).then(() => print('terminated'), failed)
      return
    }
    fs.readSync(0, Buffer.alloc(1)) // nothing else happens meanwhile
  },
  onSuccess({ lastResponse }) {
    print(`done ${lastResponse.getHeader('Sluice-File')}`)
  },
  onError: failed,
})

function failed(err) {
  print(`failed ${err.originalResponse ? err.originalResponse.getStatus() : err}`)
  process.exitCode = 1
}

upload.findPreviousUploads().then((previous) => {
  if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0])
  upload.start()
})
