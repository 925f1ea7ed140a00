// origin.js PORT LOG: an origin for 21-differential.sh, Node's http; a line "METHOD TARGET BODY-BYTES" a request.
const fs = require('fs')
const http = require('http')
const [port, log] = process.argv.slice(2)
http.createServer((request, response) => {
  let length = 0
  request.on('data', (piece) => { length += piece.length })
  request.on('end', () => {
    fs.appendFileSync(log, `${request.method} ${request.url} ${length}\n`, 'latin1')
    response.end()
  })
}).listen(Number(port), '192.0.2.10', () => console.log('ready'))
