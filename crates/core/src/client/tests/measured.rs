//! `Repair::stops` against what was measured with real clients: tests/interop/parsers and tests/interop/messages keep
//! their verdicts in tables, client by client.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::{Clients, find, who};
use crate::example;
use crate::exchange::{Facts, Reply, Site};
use crate::plan::Plan;
use crate::repair::{Mode, Repair, SiteKind};
use crate::repairs::{self, REPAIRS};

#[path = "../../../../../tests/interop/parsers/rmcp/cases.rs"]
#[allow(dead_code)]
mod cases;

use cases::Case;

/// A line of a table of results.
struct Line {
    /// The case.
    name: String,
    /// The defects that it has, by their numbers in the catalogue.
    rows: Vec<String>,
    /// Who took part.
    asked: Clients,
    /// Who had trouble without the proxy.
    wrong: Clients,
    /// Who of these had none through it.
    mended: Clients,
}

/// Which client a column is. In the columns `auto` a client asks with `server/discover` first, as Claude Code does;
/// the Python SDK does not do so of itself.
fn client_of(column: &str) -> Option<Clients> {
    let id = match column.split([' ', '.']).collect::<Vec<_>>()[..] {
        ["ts", "2", _, _, "auto"] => "claude-code",
        ["py", _, _, _, "auto"] => return None,
        ["ts", "1", ..] => "ts1",
        ["ts", "2", ..] => "ts2",
        ["py", "1", ..] => "py1",
        ["py", "2", ..] => "py2",
        ["rmcp", ..] => "rmcp",
        _ => return None,
    };
    find(id).map(|client| client.one)
}

fn results(suite: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop").join(suite).join("results.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut columns: Vec<Option<Clients>> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            ["case", "rows", ref names @ ..] => columns = names.iter().map(|name| client_of(name)).collect(),
            [name, rows, ref verdicts @ ..] if verdicts.len() == columns.len() && rows != "---" => {
                let those = |wanted: &dyn Fn(&str) -> bool| {
                    let hit = columns.iter().zip(verdicts).filter(|(_, verdict)| wanted(verdict));
                    hit.filter_map(|(client, _)| *client).fold(who::NOBODY, Clients::and)
                };
                lines.push(Line {
                    name: name.to_owned(),
                    rows: rows.split(' ').filter(|row| row.len() > 1).map(str::to_owned).collect(),
                    asked: those(&|verdict| verdict != "-"),
                    wrong: those(&|verdict| matches!(verdict, "mended" | "not mendable" | "WRONG" | "REFUSED")),
                    mended: those(&|verdict| verdict == "mended"),
                });
            }
            _ => {}
        }
    }
    assert!(lines.len() > 200, "{suite}: only {} lines were read", lines.len());
    lines
}

/// The exchange of a case of tests/interop/parsers, at a site whose public address is the upstream's own: nothing has
/// to be renamed there.
fn exchange(case: &Case) -> (Facts, &'static str, String) {
    let kind = SiteKind::Cohosted;
    let upstream = example::facts(kind).upstream;
    let facts = Facts { public: upstream.clone(), ..example::facts(kind) };
    let message = case.message(upstream.as_str());
    let head = if message.kind.is_empty() { String::new() } else { format!("\nContent-Type: {}", message.kind) };
    let body = if message.body.is_empty() { "(empty)" } else { &message.body };
    let request = match (case.group.as_str(), case.text("base")) {
        ("registration", Some("confidential")) => {
            "POST /register\nContent-Type: application/json\n\n{\"redirect_uris\":[\"http://localhost:33418/callback\"],\
             \"client_name\":\"parsers\",\"token_endpoint_auth_method\":\"client_secret_post\"}"
        }
        ("registration", _) => {
            "POST /register\nContent-Type: application/json\n\n{\"redirect_uris\":[\"http://localhost:33418/callback\"],\
             \"client_name\":\"parsers\",\"token_endpoint_auth_method\":\"none\"}"
        }
        ("token", _) => {
            "POST /token\nContent-Type: application/x-www-form-urlencoded\n\n\
             grant_type=authorization_code&code=code&client_id=s6BhdRkqt3"
        }
        ("server-metadata", Some("oidc")) => "GET /.well-known/openid-configuration",
        ("server-metadata", _) => "GET /.well-known/oauth-authorization-server",
        _ => "GET /.well-known/oauth-protected-resource/mcp",
    };
    (facts, request, format!("{}{head}\n\n{body}", message.status))
}

/// The repairs that find something in it.
fn findings(case: &Case) -> Vec<&'static Repair> {
    let (facts, request, reply) = exchange(case);
    let known = example::knowledge(SiteKind::Cohosted);
    let site = Site { facts: &facts, known: &known };
    let request = example::request(request, &facts, &known).unwrap();
    let reply: Reply = example::reply(&reply).unwrap_or_else(|e| panic!("{}: {e}", case.id));
    let finds = |repair: &'static Repair| {
        let plan = Plan::new(&[repair], &BTreeMap::from([(repair.id, Mode::Observe)]));
        !plan.mend_reply(&site, &request, &mut reply.clone(), true).0.fired.is_empty()
    };
    REPAIRS.iter().copied().filter(|repair| finds(repair)).collect()
}

/// Who was measured in `asked` and is named by the repair.
fn claimed(repair: &Repair, asked: Clients) -> Clients {
    repair.stops.without(repair.stops.without(asked))
}

fn names(set: Clients) -> String {
    set.iter().map(|client| client.id).collect::<Vec<_>>().join(", ")
}

/// The cases of tests/interop/parsers with their verdicts and the repairs that find something in them.
fn parsed() -> Vec<(Case, Line, Vec<&'static Repair>)> {
    let mut lines = results("parsers").into_iter();
    // Both tables are in the order of the cases.
    let with_line = |case: Case| {
        let line = lines.next().filter(|line| case.id.ends_with(&format!("/{}", line.name)));
        let line = line.unwrap_or_else(|| panic!("{}: results.md is out of date", case.id));
        let found = findings(&case);
        (case, line, found)
    };
    cases::all().into_iter().map(with_line).collect()
}

#[test]
fn whoever_refuses_a_document_is_named_by_what_is_found_in_it() {
    for (case, line, found) in parsed() {
        // Where the upstream refuses, the case is about the error's text. Where there is nothing at all, the function
        // that was asked says so, and the clients go on without.
        let goes_on = case.error.is_some() || case.message("").status == 404;
        if !goes_on {
            let named = found.iter().fold(who::NOBODY, |all, repair| all.and(repair.stops));
            let ids: Vec<&str> = found.iter().map(|repair| repair.id).collect();
            let missing = line.mended.without(named);
            assert!(missing.is_empty(), "{}: {ids:?} stop {}, too", case.id, names(missing));
        }
    }
}

#[test]
fn who_refuses_none_of_the_documents_is_not_named() {
    let mut seen: BTreeMap<&str, (Clients, Clients)> = BTreeMap::new();
    for (case, line, mut found) in parsed() {
        // The first one takes a document out of its wrapping, and the others see another.
        if case.text("nested").is_some() {
            found.truncate(1);
        }
        for repair in &found {
            let (asked, wrong) = seen.entry(repair.id).or_insert((who::NOBODY, who::NOBODY));
            // What another finding explains as well is no evidence for this one.
            let others = found.iter().filter(|other| other.id != repair.id);
            let explained = others.fold(who::NOBODY, |all, other| all.and(other.stops));
            (*asked, *wrong) = (asked.and(line.asked), wrong.and(line.wrong.without(explained)));
        }
    }
    assert!(seen.len() > 30, "only {} repairs find something", seen.len());
    // At this site nothing has to be renamed, so that what these are for does not occur.
    seen.retain(|id, _| !id.starts_with("identity."));
    for (id, (asked, wrong)) in seen {
        let idle = claimed(repairs::find(id).unwrap(), asked).without(wrong);
        assert!(idle.is_empty(), "{id} stops {}, who accepted all cases that are its own", names(idle));
    }
}

/// Rows whose cases are seen by clients that can go on, and what those see.
const IN_PART: &[(&str, &str)] = &[
    ("F-11", "no stream of notifications"),
    ("F-14", "an error beside the connection"),
    ("F-15", "an error at the end"),
    ("F-31", "the text of the error; VS Code was not measured"),
    ("F-32", "an error of one method"),
    ("F-37", "what any proxy mends by reading it"),
];

#[test]
fn whoever_cannot_go_on_with_messages_is_named() {
    for line in results("messages") {
        if line.rows.iter().any(|row| IN_PART.iter().any(|(part, _)| part == row)) {
            continue;
        }
        let covers = |repair: &&&Repair| line.rows.iter().any(|row| repair.rows.contains(&row.as_str()));
        let named = REPAIRS.iter().filter(covers).fold(who::NOBODY, |all, repair| all.and(repair.stops));
        let missing = line.mended.without(named);
        assert!(missing.is_empty(), "{} {:?} stops {}, too", line.name, line.rows, names(missing));
    }
}

#[test]
fn who_goes_on_with_all_messages_is_not_named() {
    let lines = results("messages");
    for repair in REPAIRS {
        let covered = lines.iter().filter(|line| line.rows.iter().any(|row| repair.rows.contains(&row.as_str())));
        let nobody = (who::NOBODY, who::NOBODY);
        let (asked, wrong) = covered.fold(nobody, |all, line| (all.0.and(line.asked), all.1.and(line.wrong)));
        let idle = claimed(repair, asked).without(wrong);
        assert!(idle.is_empty(), "{} stops {}, who had no trouble in its cases", repair.id, names(idle));
    }
}
