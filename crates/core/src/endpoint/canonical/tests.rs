use super::*;

#[test]
fn a_plain_path_has_one_reading() {
    for (path, expected) in [
        ("/", "/"),
        ("/mcp", "/mcp"),
        ("/Mcp/", "/mcp"),
        ("/docs/v1.2/mcp", "/docs/v1.2/mcp"),
        ("/jane.doe/mcp", "/jane.doe/mcp"),
        ("/mcp.", "/mcp"),
        ("/x/index.php", "/x/index.php"),
        ("/.well-known/x.json", "/.well-known/x.json"),
    ] {
        assert_eq!(readings(path).unwrap(), [expected], "{path}");
    }
}

#[test]
fn every_spelling_reads_as_the_place_that_a_lenient_server_takes_it_for() {
    for path in [
        "//mcp",
        "/mcp//",
        "/./mcp",
        "/x/../mcp",
        "/x//../mcp",
        "/%6dcp",
        "/%4dCP",
        "/%256dcp",
        "/mcp;a=1",
        "/mcp%3ba",
        "/mcp%2f",
        "/x/%2e%2e/mcp",
        "/x/..;/mcp",
        "\\mcp",
        "/x%5c..%5cmcp",
        "/mcp%00.png",
        "/mcp%00/../mcp",
        "/mcp%09",
        "/\\x/mcp",
        "/\\/x/mcp",
        "//x\\%6dcp",
        "/mcp%20",
        "/mcp.%20.",
        "/mcp%3fx",
        "/mcp%23x",
        "/x/%252e%252e/mcp",
        "//x/mcp",
        "///x/mcp",
        "//x:80/mcp",
        "//u@x/y/../mcp",
        "/%2fx/mcp",
        "/y/..//x/mcp",
        "/%u006dcp",
        "/m%U0063p",
        "/x/%u002e%u002E/mcp",
        "/%25u006dcp",
        "/x%u002fy/%2e%2e/../%u006Dcp",
        "/index.php/mcp",
        "/Index.PHP/mcp/",
        "/%69ndex.php;x/mcp",
        "/x/../index.php//mcp",
        "/public/index.php/mcp",
        "/a/b/server.cgi/mcp",
        "/index.php5/mcp",
        "/mcp+",
        "/+mcp",
        "/%ef%bd%8d%ef%bd%83%ef%bd%90",
        "/%uff4dcp",
        "/x%ef%bc%8f..%ef%bc%8fmcp",
        "/x/%ef%bc%8e%ef%bc%8e/mcp",
        "/%e2%93%9ccp",
        "/%5cu006dcp",
        "/x/..%5cu002fmcp",
        "/m%c2%adcp",
        "/m%e2%80%8bcp",
        "/x%e2%88%95..%e2%88%95mcp",
        "/x/..%c2%a5mcp",
        "/(S(abc))/mcp",
        "/%28S%28abc%29%29/mcp",
        "/mcp::$DATA",
        "/x/..%e2%80%8b/../../mcp",
    ] {
        let all = readings(path).unwrap();
        assert!(all.iter().any(|reading| reading == "/mcp"), "{path}: {all:?}");
    }
    assert!(readings("/%c5%bfse").unwrap().iter().any(|reading| reading == "/sse"));
}

#[test]
fn a_path_below_a_handler_stays_below_it_where_dots_are_not_resolved() {
    for path in ["/mcp/../y", "/mcp/%2e%2e/y", "/x/%2e%2e/mcp/%252e%252e/y", "/a/../mcp/%2e%2e/%2e%2e/z"] {
        let all = readings(path).unwrap();
        assert!(all.iter().any(|reading| is_below(reading, "/mcp")), "{path}: {all:?}");
    }
}

#[test]
fn other_places_stay_other_places() {
    for path in ["/mcpx", "/x/mcp", "/%u006", "/%u00e9cp", "/%c3%a9cp", "/x//y/mcp", "//x/y/mcp", "/m%63p2", "/mc/p"] {
        let all = readings(path).unwrap();
        let held = all.iter().any(|reading| is_at(reading, "/mcp") || is_below(reading, "/mcp"));
        assert!(!held, "{path}: {all:?}");
    }
    assert!(is_at("/mcp.json", "/mcp") && !is_at("/mcp.json/x", "/mcp") && !is_at("/.x", "/") && is_at("/", "/"));
}

#[test]
fn ordinary_paths_with_escapes_are_read() {
    for path in [
        "/files/a%20b%20(1).pdf",
        "/api/objects/s3%3A%2F%2Fbucket%2Fkey%20x%2Fy",
        "/fetch/https%3A%2F%2Fa.example%2Fb%3Fc%3D1%2526d%23e",
        "/fetch/https://a.example//b;v=1/%E4%BD%A0%E5%A5%BD",
        "/wp/index.php/wp-json/x%20y;z/",
        "//cdn/a%20b/./c",
        "/wiki/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
        "/p/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7",
        "/shop/%C2%A5100",
        "/files/C:%5Cdata%5Cusers",
        "/wiki/(f(x))",
    ] {
        assert!(readings(path).is_some(), "{path}");
    }
}

#[test]
fn what_has_too_many_forms_is_not_read() {
    assert_eq!(readings(&format!("/%{}41", "25".repeat(400))), None);
    assert_eq!(readings(&format!("/;{}", "a".repeat(LONGEST))), None);
}

#[test]
fn what_is_no_utf_8_may_be_any_place() {
    for path in [
        "/%c0%afmcp",
        "/x/%c0%ae%c0%ae/mcp",
        "/%c1%adcp",
        "/%e0%81%adcp",
        "/%f8%80%80%81%adcp",
        "/%25c1%25adcp",
        "/x/%fc%80%80%80%80%afmcp",
        "/%ff",
    ] {
        assert_eq!(readings(path), None, "{path}");
    }
}

#[test]
fn parameters_are_found_however_they_are_written() {
    let has = |target: &str| may_have_parameter(target, |name| name == "sessionid");
    for target in [
        "/m?sessionId=1",
        "/m?%73essionId",
        "/m?SESSION_ID=1",
        "/m?x=1&session%49d=1",
        "/m?%2573essionid",
        "/m?a; sessionid\t=1",
        "/m?session%u0049d=1",
        "/m?sessionId[]=1",
        "/m%3fsessionId=1",
        "/m%253fsessionId=1",
        "/m?a=1%26sessionId=1",
        "/m?a=1?sessionId=1",
        "/m?a%3D1%3BsessionId=1",
        "/m;sessionId=1",
        "/m?%ef%bd%93essionId=1",
        // Nobody can tell.
        "/m?%c1%b3essionId=1",
        "/m?%25252525252573=1",
    ] {
        assert!(has(target), "{target}");
    }
    for target in ["/m", "/sessionId", "/sessionId?a=b", "/m?a=sessionId", "/m?a=%ff&b=1", "/m?session=1"] {
        assert!(!has(target), "{target}");
    }
}
