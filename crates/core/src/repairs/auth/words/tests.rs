use super::super::said::of_text;
use super::*;

/// Whether a text speaks of something.
type Speaks = fn(&str) -> bool;

/// What a body is taken to say: login missing, bad token, scope missing, a block.
fn read(body: &str) -> String {
    let text = of_text(body);
    let all: [(char, Speaks); 4] =
        [('l', speaks_of_missing_login), ('t', speaks_of_bad_token), ('s', speaks_of_scope), ('b', speaks_of_a_block)];
    all.into_iter().filter(|(_, speaks)| speaks(&text)).map(|(letter, _)| letter).collect()
}

#[test]
fn bodies_of_deployed_servers_say_what_they_mean() {
    for (body, says) in [
        // Nobody has logged in.
        (r#"{"detail":"Not authenticated"}"#, "l"),
        ("Unauthorized", "l"),
        ("Unauthorized request", "l"),
        ("unauthorized access", "l"),
        ("Unauthorized - log in", "l"),
        ("HTTP 401 Unauthorized: no", "l"),
        (r#"{"error":"UnauthorizedError","message":"x"}"#, "l"),
        ("HttpUnauthorizedException", "l"),
        ("unauthorized. Domain expert? Ask.", "lb"),
        ("\"Unauthorized\"", "l"),
        (r#"{"message":"Unauthenticated."}"#, "l"),
        (r#"{"detail":"Authentication credentials were not provided."}"#, "l"),
        (r#"{"message":"Missing Authentication Token"}"#, "l"),
        (r#"{"error":"Missing Authorization header"}"#, "l"),
        (r#"{"error":{"code":401,"status":"UNAUTHENTICATED","message":"x"}}"#, "l"),
        (r#"{"error":{"message":"Request is missing required authentication credential."}}"#, "l"),
        (r#"{"error":"Access token required"}"#, "l"),
        (r#"{"error":"token_required"}"#, "l"),
        (r#"{"error":"No token provided"}"#, "l"),
        (r#"{"error":"No authorization header was found"}"#, "l"),
        (r#"{"error":"Authorization header is not present"}"#, "l"),
        (r#"{"message":"Please log in first."}"#, "l"),
        (r#"{"message":"This endpoint requires a valid access token"}"#, "l"),
        (r#"{"detail":[{"type":"missing","loc":["header","authorization"],"msg":"Field required"}]}"#, "l"),
        (
            r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Unauthorized: bearer token is missing"},"id":null}"#,
            "l",
        ),
        // The token is none.
        (r#"{"error":"invalid_token","error_description":"The access token expired"}"#, "t"),
        (r#"{"error":"invalid_token"}"#, "t"),
        (r#"{"error":"InvalidToken"}"#, "t"),
        (r#"{"name":"x","message":"jwt expired","code":"TokenExpiredError"}"#, "t"),
        (r#"{"message":"jwt malformed"}"#, "t"),
        (
            r#"{"error":{"code":"InvalidAuthenticationToken","message":"Lifetime validation failed, the token is expired."}}"#,
            "t",
        ),
        (r#"{"error":"mwoauth-invalid-authorization","message":"The access token has expired"}"#, "t"),
        (r#"{"message":"The incoming token has expired"}"#, "t"),
        (r#"{"error":"Invalid or expired token"}"#, "t"),
        (r#"{"error":"Token is invalid or expired"}"#, "t"),
        (r#"{"error":"Your token is no longer valid"}"#, "t"),
        (r#"{"error":"not a valid access token"}"#, "t"),
        (r#"{"error":"the token could not be verified"}"#, "t"),
        (r#"{"error":"Token validation failed"}"#, "t"),
        (r#"{"detail":"Could not validate credentials"}"#, "t"),
        (r#"{"detail":"Signature verification failed"}"#, "t"),
        (r#"{"detail":"Given token not valid for any token type","code":"token_not_valid"}"#, "t"),
        (r#"{"error":"Unknown token"}"#, "t"),
        // A scope is missing.
        (r#"{"error":"insufficient_scope"}"#, "s"),
        (r#"{"error":{"message":"Request had insufficient authentication scopes."}}"#, "s"),
        (r#"{"error":{"details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}"#, "s"),
        (r#"{"error":"missing_scope"}"#, "s"),
        (r#"{"message":"This operation requires the mcp:write scope"}"#, "s"),
        (r#"{"error":"invalid_token","error_description":"insufficient scope"}"#, "s"),
        // Refused, whoever sends it.
        (r#"{"error":"Forbidden: Invalid Origin header"}"#, "b"),
        ("Invalid Host header", "b"),
        (r#"{"error":"rate limited"}"#, "b"),
        ("CSRF token mismatch", "b"),
        ("Invalid CSRF token", "b"),
        (r#"{"message":"CSRF token is invalid"}"#, "b"),
        (r#"{"message":"CSRF token missing"}"#, "b"),
        ("<title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1>", "b"),
        (r#"{"error":"Your IP is not allowed"}"#, "b"),
        (r#"{"error":"unauthorized host"}"#, "b"),
        (r#"{"message":"Access denied: geo restriction"}"#, "b"),
        (r#"{"error":"Slow down. Requests exceeded."}"#, "b"),
        (r#"{"error":"forbidden","message":"Your organisation does not allow this network"}"#, "b"),
        (r#"{"code":1020,"msg":"Access denied"}"#, "b"),
        (r#"{"message":"error code: 1020"}"#, "b"),
        (r#"{"error":"blocked by organization policy"}"#, "b"),
        ("Unauthorized user agent", "lb"),
        ("Unauthorized domain", "b"),
        ("Unauthorised app", "b"),
        (r#"{"error":"unauthorized_referer"}"#, "b"),
        (r#"{"error":"UnauthorizedDevice"}"#, "b"),
        ("unauthorized-region", "b"),
        // Nothing of the kind.
        (r#"{"status":403,"error":"Forbidden","path":"/mcp/token required"}"#, ""),
        ("<html><head><title>403 Forbidden</title></head><center><h1>403 Forbidden</h1></center></html>", ""),
        ("RBAC: access denied", "b"),
        (r#"{"error":"unauthorized_client"}"#, ""),
        (r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"Missing required parameter: token"},"id":1}"#, ""),
        (r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid progress token"},"id":1}"#, ""),
        (r#"{"error":"Invalid or expired session token"}"#, ""),
        (r#"{"error":"Upload token expired"}"#, ""),
        (r#"{"error":"The refresh token has expired due to inactivity"}"#, ""),
        (r#"{"error":"SyntaxError: Unexpected token < in JSON at position 0"}"#, ""),
        (r#"{"error":"not well-formed (invalid token): line 1, column 3"}"#, ""),
        (r#"{"error":"invalid continuation token"}"#, ""),
        (r#"{"error":"token limit exceeded"}"#, "b"),
        (r#"{"error":"Invalid token address"}"#, ""),
        (r#"{"error":"unknown token type"}"#, ""),
        (r#"{"error":"The token does not carry the role admin; token expired"}"#, ""),
        (r#"{"data":{"text":"token expired"}}"#, ""),
        ("", ""),
    ] {
        assert_eq!(read(body), says, "{body}");
    }
    // The session of the transport is nobody's login.
    let session =
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#;
    assert!(!speaks_of_missing_login(&of_text(session)) && !speaks_of_bad_token(&of_text(session)));
}

#[test]
fn others_are_told_from_this_server() {
    for (text, is_another) in [
        ("GitHub API answered 401 Unauthorized", true),
        ("Weather API: invalid token", true),
        ("Billing API rejected our token: token expired", true),
        ("Database login required (pool: unauthorized)", true),
        ("upstream: unauthorized", true),
        ("Request failed with status code 401", true),
        ("GitHub: bad credentials, token invalid", true),
        ("Invalid API token", false),
        ("Missing API key or token", false),
        ("This API requires a token", false),
        ("API: unauthorized", false),
        ("Unauthorized", false),
        ("your token has expired", false),
        ("", false),
    ] {
        assert_eq!(speaks_of_another_party(text), is_another, "{text}");
    }
}

#[test]
fn a_bare_refusal_says_nothing_else() {
    for (text, bare) in [
        ("Unauthorized", true),
        ("Unauthorized\n", true),
        ("Unauthorized.\nThe access token expired!", true),
        ("Internal error: unauthorized", false),
        ("Unauthorized\nWeather", false),
        ("", false),
    ] {
        assert_eq!(is_bare(text), bare, "{text}");
    }
}

#[test]
fn a_page_needs_a_sentence() {
    for (text, demands) in
        [("Unauthorized", false), ("Unauthorised", false), ("Not authenticated", true), ("Missing bearer token", true)]
    {
        assert_eq!(demands_login(text), demands, "{text}");
    }
}

#[test]
fn a_long_text_is_read_to_its_limit_and_no_further() {
    let text = format!("{}é unauthorized", "a ".repeat(LONGEST / 2));
    assert!(!speaks_of_missing_login(&text));
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,80}|[a-z ]{0,80}|((no|unauthorized|Unauthorised|api|É|not|invalid|token|is|scope|[a-z]) ?){0,20}") {
        for speaks in [speaks_of_missing_login, speaks_of_bad_token, speaks_of_scope, speaks_of_a_block, speaks_of_another_party, demands_login, is_bare] {
            speaks(&text);
        }
    }
}
