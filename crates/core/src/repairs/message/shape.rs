//! Which members of a result the schema of MCP 2025-11-25 (schema.ts) names as optional. Nothing but these is ever taken
//! out, and nothing is looked into that is not named here.

use bytes::Bytes;

use crate::edit::json::Object;
use crate::exchange::Request;

/// What is optional in an object, and which of its members are objects or lists of objects in turn.
pub(super) struct Shape {
    optional: &'static [&'static str],
    objects: &'static [(&'static str, &'static Shape)],
    lists: &'static [(&'static str, &'static Shape)],
}

const fn flat(optional: &'static [&'static str]) -> Shape {
    Shape { optional, objects: &[], lists: &[] }
}

static ICON: Shape = flat(&["mimeType", "sizes", "theme"]);
static ANNOTATIONS: Shape = flat(&["audience", "priority", "lastModified"]);
/// Of a JSON schema what the protocol itself names; the rest is the tool's.
static SCHEMA: Shape = flat(&["$schema", "properties", "required"]);
static TOOL: Shape = Shape {
    optional: &["title", "description", "annotations", "outputSchema", "icons", "execution", "_meta"],
    objects: &[
        ("annotations", &flat(&["title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"])),
        ("execution", &flat(&["taskSupport"])),
        ("inputSchema", &SCHEMA),
        ("outputSchema", &SCHEMA),
    ],
    lists: &[("icons", &ICON)],
};
static RESOURCE: Shape = Shape {
    optional: &["title", "description", "mimeType", "size", "annotations", "icons", "_meta"],
    objects: &[("annotations", &ANNOTATIONS)],
    lists: &[("icons", &ICON)],
};
static PROMPT: Shape = Shape {
    optional: &["title", "description", "arguments", "icons", "_meta"],
    objects: &[],
    lists: &[("arguments", &flat(&["title", "description", "required"])), ("icons", &ICON)],
};
/// What every page of a list may say.
const PAGE: &[&str] = &["nextCursor", "_meta", "ttlMs", "cacheScope"];
static CAPABILITIES: Shape = Shape {
    optional: &["experimental", "logging", "completions", "prompts", "resources", "tools", "tasks", "extensions"],
    objects: &[
        ("prompts", &flat(&["listChanged"])),
        ("resources", &flat(&["subscribe", "listChanged"])),
        ("tools", &flat(&["listChanged"])),
        ("tasks", &flat(&["list", "cancel", "requests"])),
    ],
    lists: &[],
};
static SERVER: Shape =
    Shape { optional: &["title", "description", "websiteUrl", "icons"], objects: &[], lists: &[("icons", &ICON)] };

/// By method, what its result is made of.
static RESULTS: &[(&str, Shape)] = &[
    ("tools/list", Shape { optional: PAGE, objects: &[], lists: &[("tools", &TOOL)] }),
    ("resources/list", Shape { optional: PAGE, objects: &[], lists: &[("resources", &RESOURCE)] }),
    ("resources/templates/list", Shape { optional: PAGE, objects: &[], lists: &[("resourceTemplates", &RESOURCE)] }),
    ("prompts/list", Shape { optional: PAGE, objects: &[], lists: &[("prompts", &PROMPT)] }),
    (
        "initialize",
        Shape {
            optional: &["instructions", "_meta"],
            objects: &[("capabilities", &CAPABILITIES), ("serverInfo", &SERVER)],
            lists: &[],
        },
    ),
    ("tools/call", flat(&["structuredContent", "isError", "_meta"])),
    // A method of the newest version alone.
    ("server/discover", flat(&["instructions", "_meta"])),
    ("prompts/get", flat(&["description", "_meta"])),
    ("resources/read", flat(&["_meta"])),
    ("ping", flat(&["_meta"])),
    (
        "completion/complete",
        Shape { optional: &["_meta"], objects: &[("completion", &flat(&["total", "hasMore"]))], lists: &[] },
    ),
];

/// What every result may have, also one of a method that is not known.
static ANY: Shape = flat(&["_meta", "nextCursor"]);
/// Since MCP 2026-07-28 what a tool returns may be null (SEP-2106).
static MODERN_CALL: Shape = flat(&["isError", "_meta"]);

/// What the result of a request is made of, as far as anything in it may be taken out. Where the request is not known, the
/// result says itself what it is.
pub(super) fn shape_of(request: &Request, result: Option<&Bytes>) -> &'static Shape {
    let is_it = |method: &str| result.is_some_and(|result| super::looks_like(request, result, method));
    let by_itself = || RESULTS.iter().find(|(method, _)| is_it(method)).map(|(_, shape)| shape);
    shape_by_request(request).or_else(by_itself).unwrap_or(&ANY)
}

/// As [`shape_of`], as far as the request tells.
pub(super) fn shape_by_request(request: &Request) -> Option<&'static Shape> {
    if request.calls("tools/call") && request.is_modern() {
        return Some(&MODERN_CALL);
    }
    RESULTS.iter().find(|(method, _)| request.calls(method)).map(|(_, shape)| shape)
}

impl Shape {
    /// Whether there may be a further page.
    pub(super) fn is_paged(&self) -> bool {
        self.optional.contains(&"nextCursor")
    }

    /// Takes the nulls out that may be left out.
    pub(super) fn tidy(&self, object: &mut Object) {
        for name in object.nulls() {
            if self.optional.contains(&name.as_str()) {
                object.remove(&name);
            }
        }
        for (name, shape) in self.objects {
            let Some(mut inner) = object.child(name) else { continue };
            shape.tidy(&mut inner);
            if inner.is_changed() {
                object.splice(name, inner.to_bytes());
            }
        }
        for (name, shape) in self.lists {
            let Some(mut list) = object.list(name) else { continue };
            let changed = list.change(|mut inner| {
                shape.tidy(&mut inner);
                inner.is_changed().then(|| inner.to_bytes())
            });
            if changed {
                object.splice(name, list.to_bytes());
            }
        }
    }
}
