//! What the names of fields tell.

/// What a field is for, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It belongs to one connection (RFC 9110 section 7.6.1).
    HopByHop,
    /// Somebody says who the client was or which host it asked for.
    Forwarding,
    /// A proxy says that it is there.
    Via,
    Trailer,
    Other,
}

pub(super) fn kind_of(name: &str) -> Kind {
    match name {
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
        | "transfer-encoding"
        | "upgrade"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "http2-settings" => Kind::HopByHop,
        "via" => Kind::Via,
        "trailer" => Kind::Trailer,
        "forwarded"
        | "x-forwarded"
        | "forwarded-for"
        | "x-real-ip"
        | "x-client-ip"
        | "client-ip"
        | "true-client-ip"
        | "cf-connecting-ip"
        | "cf-connecting-ipv6"
        | "fastly-client-ip"
        | "x-azure-clientip"
        | "x-appengine-user-ip"
        | "x-cluster-client-ip"
        | "x-envoy-external-address"
        | "x-originating-ip"
        | "x-remote-ip"
        | "x-remote-addr"
        | "x-original-forwarded-for"
        | "proxy-client-ip"
        | "wl-proxy-client-ip"
        | "fly-client-ip"
        | "x-proxyuser-ip"
        | "x-original-host"
        | "x-http-host-override"
        | "x-host" => Kind::Forwarding,
        _ if name.starts_with("x-forwarded-") => Kind::Forwarding,
        _ => Kind::Other,
    }
}

/// Fields that belong to one connection, besides those that Connection lists.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    kind_of(name) == Kind::HopByHop
}

/// Fields by which somebody says who the client was or which host it asked for. Believed only from trusted proxies.
pub fn is_forwarding(name: &str) -> bool {
    kind_of(name) == Kind::Forwarding
}
