//! What the peers are told: pass everything on over kept connections, and the fix-ups of the known issue page.

use std::path::Path;

/// Where Debian puts nginx's modules.
const MODULES: &str = "/usr/lib/nginx/modules";

/// What an nginx has to change bodies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripting {
    Lua,
    Njs,
    None,
}

impl Scripting {
    pub fn find() -> Self {
        let has = |module: &str| Path::new(MODULES).join(module).is_file();
        if has("ngx_http_lua_module.so") && has("ndk_http_module.so") {
            Self::Lua
        } else if has("ngx_http_js_module.so") {
            Self::Njs
        } else {
            Self::None
        }
    }

    /// Lines for the top of the file, for the http block, and for the location of registrations.
    fn lines(self) -> [String; 3] {
        match self {
            Self::Lua => [
                format!("load_module {MODULES}/ndk_http_module.so;\nload_module {MODULES}/ngx_http_lua_module.so;"),
                String::new(),
                "header_filter_by_lua_block { ngx.header.content_length = nil }\n\
                 body_filter_by_lua_block {\n\
                   local held = ngx.ctx.held\n\
                   if not held then held = {} ngx.ctx.held = held end\n\
                   held[#held + 1] = ngx.arg[1]\n\
                   if ngx.arg[2] then\n\
                     local text = table.concat(held)\n\
                     ngx.arg[1] = ngx.re.gsub(text, [[(\"client_(?:secret_expires|id_issued)_at\":\\d+)\\.\\d+]], \
                       \"$1\", \"jo\")\n\
                   else\n\
                     ngx.arg[1] = nil\n\
                   end\n\
                 }"
                .to_owned(),
            ],
            Self::Njs => [
                format!("load_module {MODULES}/ngx_http_js_module.so;"),
                "js_import registration from registration.js;".to_owned(),
                "js_header_filter registration.head;\njs_body_filter registration.body;".to_owned(),
            ],
            Self::None => Default::default(),
        }
    }
}

/// The njs form of the same.
const SCRIPT: &str = r#"const held = {};

function head(r) {
    delete r.headersOut['Content-Length'];
}

function body(r, data, flags) {
    const before = held[r.variables.request_id] || '';
    if (!flags.last) {
        held[r.variables.request_id] = before + data;
        return;
    }
    delete held[r.variables.request_id];
    r.sendBuffer((before + data).replace(/(_at":\d+)\.\d+/g, '$1'), flags);
}

export default { head, body };
"#;

pub fn nginx(place: &Path, port: u16, upstream: u16, scripting: Scripting) -> String {
    if scripting == Scripting::Njs {
        std::fs::write(place.join("registration.js"), SCRIPT).expect("a file");
    }
    let [top, http, registration] = scripting.lines();
    let place = place.display();
    // A worker of root's becomes somebody who may not enter the directory.
    let user = if std::fs::metadata("/proc/self").is_ok_and(|own| is_root(&own)) { "user root;" } else { "" };
    format!(
        r#"{top}
{user}
daemon off;
worker_processes 1;
pid {place}/pid;
events {{ worker_connections 8192; }}
http {{
  {http}
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  send_timeout 1h;
  proxy_read_timeout 1h;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $proxy_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_request_buffering off;
  proxy_buffering off;

  map $status $challenge {{
    401 'Bearer resource_metadata="http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp"';
    default "";
  }}
  map $status $exposed {{
    401 "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version";
    default "";
  }}

  upstream server {{
    server 127.0.0.1:{upstream};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}

  server {{
    listen 127.0.0.1:{port} backlog=4096;

    location = /mcp {{
      add_header WWW-Authenticate $challenge always;
      add_header Access-Control-Expose-Headers $exposed always;
      proxy_pass http://server;
    }}
    location /.well-known/ {{
      add_header Access-Control-Allow-Origin * always;
      add_header Access-Control-Allow-Methods "GET, POST, OPTIONS" always;
      add_header Access-Control-Allow-Headers
        "Content-Type, Authorization, MCP-Protocol-Version, Mcp-Session-Id" always;
      add_header Cache-Control "private, no-store, no-cache, must-revalidate, max-age=0" always;
      if ($request_method = OPTIONS) {{ return 204; }}
      proxy_pass http://server;
    }}
    location = /register {{
      {registration}
      add_header Cache-Control no-store always;
      proxy_pass http://server;
    }}
    location /files/ {{
      # Large bodies go through large buffers, and never through files.
      proxy_buffering on;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;
      proxy_pass http://server;
    }}
    location / {{ proxy_pass http://server; }}
  }}
}}
"#
    )
}

#[cfg(unix)]
fn is_root(file: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(file) == 0
}

#[cfg(not(unix))]
fn is_root(_: &std::fs::Metadata) -> bool {
    false
}

pub fn haproxy(port: u16, upstream: u16) -> String {
    format!(
        r#"global
  nbthread 1
  maxconn 8192
  tune.bufsize 16384

defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  # Without it an event waits for the next one, up to a fifth of a second.
  option http-no-delay
  option forwardfor
  http-reuse always

frontend in
  bind 127.0.0.1:{port} backlog 4096
  http-request set-var(txn.path) path
  acl metadata var(txn.path) -m beg /.well-known/
  acl registration var(txn.path) -m str /register
  http-request return status 204 hdr Access-Control-Allow-Origin * hdr Access-Control-Allow-Methods "GET, POST, OPTIONS" hdr Access-Control-Allow-Headers "Content-Type, Authorization, MCP-Protocol-Version, Mcp-Session-Id" if METH_OPTIONS metadata
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-response set-header WWW-Authenticate "Bearer resource_metadata=\"http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp\"" if {{ status 401 }}
  http-response set-header Access-Control-Expose-Headers "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version" if {{ status 401 }}
  http-response set-header Access-Control-Allow-Origin * if metadata
  http-response set-header Access-Control-Allow-Methods "GET, POST, OPTIONS" if metadata
  http-response set-header Access-Control-Allow-Headers "Content-Type, Authorization, MCP-Protocol-Version, Mcp-Session-Id" if metadata
  http-response set-header Cache-Control "private, no-store, no-cache, must-revalidate, max-age=0" if metadata
  http-response wait-for-body time 5s if registration
  http-response return status 201 content-type application/json hdr Cache-Control no-store lf-string '%[res.body,regsub("(_at\":[0-9]+)[.][0-9]+","\1",g)]' if registration {{ status 201 }}
  default_backend server

backend server
  server one 127.0.0.1:{upstream}
"#
    )
}
