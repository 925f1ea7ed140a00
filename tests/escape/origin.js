// origin.js PORT LOG [CERTIFICATE KEY]: an origin for 21-differential.sh, Node's http or https; a line "METHOD TARGET BODY-BYTES" a request.
const fs = require('fs')
const http = require('http')
const https = require('https')
const [port, log, cert, key] = process.argv.slice(2)
const server = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }) : http.createServer()
server.on('request', (request, response) => {
  let length = 0
  request.on('data', (piece) => { length += piece.length })
  request.on('end', () => {
    fs.appendFileSync(log, `${request.method} ${request.url} ${length}\n`, 'latin1')
    response.end()
  })
})
server.listen(Number(port), '192.0.2.10', () => console.log('ready'))
