import { existsSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Program, dropFolder, folder, quietPort } from "./process.js"

// nginxPath is the nginx of this machine, as Debian's package has it.
function nginxPath() {
  for (const folder of [...process.env.PATH.split(delimiter), "/usr/sbin"]) if (existsSync(join(folder, "nginx"))) return join(folder, "nginx")
  throw new Error("the tests of the fallback need nginx, and find none: install nginx, or run make test-web as root, which does")
}

// Nginx is a real one before a broker, with a configuration of its own in a folder of its own.
//
// Where it refuses upgrades it is what many companies have: a proxy that passes a handshake on without its Upgrade, so that the broker sees no WebSocket at all.
export class Nginx {
  #program
  #folder = folder("nginx")
  #upstream

  static async start(upstream, { upgrades = false } = {}) {
    const nginx = new Nginx()
    nginx.#upstream = upstream
    nginx.port = await quietPort()
    nginx.url = `http://127.0.0.1:${nginx.port}`
    nginx.#configure(upgrades)
    nginx.#program = new Program(nginxPath(), ["-c", join(nginx.#folder, "nginx.conf"), "-p", nginx.#folder, "-e", "stderr"])
    await nginx.#program.said(/start worker process \d+/)
    return nginx
  }

  #configure(upgrades) {
    const temp = (name) => `${name}_temp_path ${join(this.#folder, name)};`
    const upgrade = 'proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection "upgrade";'
    writeFileSync(
      join(this.#folder, "nginx.conf"),
      `${process.getuid() === 0 ? "user root root;\n" : ""}daemon off;
master_process on;
worker_processes 1;
pid ${join(this.#folder, "pid")};
error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(temp).join("\n  ")}
  server {
    listen 127.0.0.1:${this.port};
    location / {
      proxy_pass http://127.0.0.1:${this.#upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      ${upgrades ? upgrade : 'proxy_set_header Connection "";'}
    }
  }
}
`,
    )
  }

  // reload changes what it does about upgrades. It resolves when the worker with the new configuration has begun; what is open goes on at the old one.
  async reload({ upgrades }) {
    const was = this.#program.errors.length
    this.#configure(upgrades)
    this.#program.signal("SIGHUP")
    await this.#program.said(new RegExp(`^[^]{${was}}[^]*start worker process \\d+`))
  }

  async close() {
    this.#program.signal("SIGTERM")
    await this.#program.ended
    dropFolder(this.#folder)
  }
}
