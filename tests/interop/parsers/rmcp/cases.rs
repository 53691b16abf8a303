//! The table of cases, and the answer that a case stands for.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static TABLE: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../cases.json")).unwrap());

/// What must have come through unharmed, whatever else was changed.
fn kept(group: &str) -> &'static [&'static str] {
    match group {
        "token" => &["access_token", "refresh_token", "scope"],
        "server-metadata" => &["authorization_endpoint", "token_endpoint", "registration_endpoint"],
        _ => &[],
    }
}

/// One row of the table.
#[derive(Clone)]
pub struct Case {
    pub group: String,
    pub id: String,
    pub error: Option<String>,
    pub unmendable: bool,
    row: Value,
}

/// What the upstream sends. The media type may be empty: then it names none.
pub struct Message {
    pub status: u16,
    pub kind: String,
    pub body: String,
}

pub fn all() -> Vec<Case> {
    let of_group = |(group, table): (&String, &Value)| {
        let rows = table["cases"].as_array().unwrap().iter();
        rows.map(|row| Case::new(group, row.clone())).collect::<Vec<_>>()
    };
    TABLE.iter().flat_map(of_group).collect()
}

/// A document that nobody refuses.
pub fn sound(group: &str, base: &str, origin: &str) -> Message {
    Case::new(group, serde_json::json!({ "id": "", "base": base })).message(origin)
}

/// A member of a sound document.
pub fn sound_text(group: &str, base: &str, member: &str) -> String {
    let value = &TABLE[group]["bases"][base][member];
    value.as_str().or_else(|| value[0].as_str()).unwrap().to_owned()
}

impl Case {
    fn new(group: &str, row: Value) -> Self {
        Self {
            group: group.to_owned(),
            id: row["id"].as_str().unwrap().to_owned(),
            error: row["error"].as_str().map(str::to_owned),
            unmendable: row["unmendable"] == true,
            row,
        }
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.row[key].as_str()
    }

    pub fn is(&self, key: &str) -> bool {
        self.row[key] == true
    }

    pub fn message(&self, origin: &str) -> Message {
        let status = self.row["status"].as_u64().or_else(|| TABLE[&self.group]["status"].as_u64()).unwrap();
        let body = self.text("body").map_or_else(|| self.document(), str::to_owned);
        Message {
            status: u16::try_from(status).unwrap(),
            kind: self.text("type").unwrap_or("application/json").to_owned(),
            body: body.replace("{origin}", origin),
        }
    }

    /// The base document with the one change.
    fn document(&self) -> String {
        let mut document = TABLE[&self.group]["bases"][self.text("base").unwrap()].clone();
        let members = document.as_object_mut().unwrap();
        if let Some(member) = self.text("member") {
            if self.is("absent") {
                members.shift_remove(member);
            } else if let Some(number) = self.text("text") {
                members.insert(member.to_owned(), serde_json::from_str(number).unwrap());
            } else {
                members.insert(member.to_owned(), self.row["value"].clone());
            }
        }
        self.text("nested").map_or_else(|| document.to_string(), |name| format!("{{\"{name}\":{document}}}"))
    }

    /// What the client must have read, as members of its own value.
    pub fn expected(&self) -> Map<String, Value> {
        let document = self.text("base").map(|base| &TABLE[&self.group]["bases"][base]);
        let value = |member: &&str| {
            let own = document?.get(*member)?;
            let value = if self.text("member") == Some(member) { &self.row["becomes"] } else { own };
            value.is_string().then(|| ((*member).to_owned(), value.clone()))
        };
        kept(&self.group).iter().filter_map(value).collect()
    }

    /// Who the client is after this registration, as the upstream sees it: its id, and its secret if it has one.
    pub fn client(&self) -> (String, Option<String>) {
        let base = self.text("base").filter(|_| self.group == "registration").unwrap_or("public");
        let base = &TABLE["registration"]["bases"][base];
        let changed = |member| Some(&self.row["value"]).filter(|_| self.text("member") == Some(member));
        let id = match changed("client_id") {
            Some(Value::Number(number)) => number.to_string(),
            _ => base["client_id"].as_str().unwrap().to_owned(),
        };
        let public = changed("token_endpoint_auth_method").is_some_and(|method| method == "none")
            || changed("client_secret").is_some_and(|secret| secret == "");
        (id, base["client_secret"].as_str().filter(|_| !public).map(str::to_owned))
    }
}
