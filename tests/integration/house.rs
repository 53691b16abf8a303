//! The layers of the house: of two modules with the same parent, at most one uses the other, directly or by way of third ones.
//! A module and what is below it may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

type Name = Vec<String>;

/// What one file says of other modules.
#[derive(Default)]
struct Said {
    used: BTreeSet<Name>,
    /// Names that it hands on, and what they stand for. They are no use: who takes one uses what it stands for.
    handed_on: BTreeMap<String, Name>,
}

impl Said {
    fn note(&mut self, tree: &UseTree, before: &[String], is_handed_on: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Name>();
        let mut end = |name: Name, as_what: String| {
            match is_handed_on {
                true => drop(self.handed_on.insert(as_what, name)),
                false => drop(self.used.insert(name)),
            };
        };
        match tree {
            UseTree::Path(path) => self.note(&path.tree, &with(&path.ident), is_handed_on),
            UseTree::Name(name) if name.ident == "self" => {
                end(before.to_vec(), before.last().cloned().unwrap_or_default());
            }
            UseTree::Name(name) => end(with(&name.ident), name.ident.to_string()),
            UseTree::Rename(rename) => end(with(&rename.ident), rename.rename.to_string()),
            UseTree::Glob(_) => end(before.to_vec(), String::new()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note(tree, before, is_handed_on)),
        }
    }
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            _ => &[],
        };
        let is_of_tests = |attribute: &Attribute| {
            let list = attribute.path().is_ident("cfg").then(|| attribute.meta.require_list().ok()).flatten();
            list.is_some_and(|list| {
                list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
            })
        };
        if !attributes.iter().any(is_of_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.used.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// The files of a crate by the modules that they are, without those that only tests have.
fn modules(root: &Path) -> BTreeMap<Name, Said> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && stem != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !["tests", "main"].contains(&stem.as_str()) {
                let place = path.strip_prefix(root).unwrap().with_extension("");
                let name: Name = place.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                let mut said = Said::default();
                said.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
                found.insert(if name == ["lib"] { Name::new() } else { name }, said);
            }
        }
    }
    found
}

/// The full name of what a module calls by this one; `None` if that is in another crate.
fn absolute(all: &BTreeMap<Name, Said>, module: &[String], name: &[String]) -> Option<Name> {
    let ups = name.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match name.first()?.as_str() {
        "crate" => (&[][..], &name[1..]),
        "self" => (module, &name[1..]),
        "super" => (module.get(..module.len().checked_sub(ups)?)?, &name[ups..]),
        _ => (module, name),
    };
    let full: Name = base.iter().chain(rest).cloned().collect();
    let is_child = || all.contains_key(full.get(..=module.len()).unwrap_or_default());
    (base.len() != module.len() || name[0] == "self" || is_child()).then_some(full)
}

/// The module that has what this name stands for, wherever it is handed on.
fn home(all: &BTreeMap<Name, Said>, name: &[String], steps: usize) -> Name {
    let mut length = 0;
    while length < name.len() && all.contains_key(&name[..=length]) {
        length += 1;
    }
    let module = &name[..length];
    let handed_on = name.get(length).and_then(|next| all.get(module)?.handed_on.get(next));
    match handed_on.and_then(|other| absolute(all, module, other)).filter(|_| steps > 0) {
        Some(other) => home(all, &[&other[..], &name[length + 1..]].concat(), steps - 1),
        None => module.to_vec(),
    }
}

/// What stands beside each other, and which uses which, by an example of it.
type Level = BTreeMap<Name, BTreeMap<Name, String>>;

fn levels(all: &BTreeMap<Name, Said>) -> Vec<Level> {
    let mut levels: BTreeMap<Name, Level> = BTreeMap::new();
    for (module, said) in all {
        for name in said.used.iter().filter_map(|name| absolute(all, module, name)) {
            let other = home(all, &name, 8);
            let shared = module.iter().zip(&other).take_while(|(one, other)| one == other).count();
            if shared < module.len().min(other.len()) {
                let level = levels.entry(module[..shared].to_vec()).or_default();
                let uses = level.entry(module[..=shared].to_vec()).or_default();
                let example = format!("{} uses {}", module.join("/"), name.join("::"));
                uses.entry(other[..=shared].to_vec()).or_insert(example);
            }
        }
    }
    levels.into_values().collect()
}

/// The way round, if there is one: an example of each step.
fn circle(level: &Level) -> Option<Vec<String>> {
    fn search(
        level: &Level,
        at: &Name,
        way: &mut Vec<(Name, String)>,
        done: &mut BTreeSet<Name>,
    ) -> Option<Vec<String>> {
        for (next, example) in level.get(at).into_iter().flatten() {
            way.push((at.clone(), example.clone()));
            if let Some(from) = way.iter().position(|(name, _)| name == next) {
                return Some(way[from..].iter().map(|(_, example)| example.clone()).collect());
            }
            if !done.contains(next)
                && let Some(found) = search(level, next, way, done)
            {
                return Some(found);
            }
            way.pop();
        }
        done.insert(at.clone());
        None
    }
    let mut done = BTreeSet::new();
    level.keys().find_map(|start| search(level, start, &mut Vec::new(), &mut done))
}

#[test]
fn no_module_uses_one_that_uses_it() {
    for root in ["src", "crates/core/src"] {
        let all = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
        assert!(all.len() > 50, "{root}: {} files were found", all.len());
        let levels = levels(&all);
        assert!(levels.iter().map(BTreeMap::len).sum::<usize>() > 50, "{root}: hardly anything uses anything");
        let circles: Vec<String> = levels.iter().filter_map(circle).map(|way| way.join("\n  ")).collect();
        assert!(circles.is_empty(), "{root}: modules use each other in a circle:\n  {}", circles.join("\n\n  "));
    }
}

#[test]
fn a_circle_is_found_by_way_of_third_ones_and_of_names_that_are_handed_on() {
    let file = |text: &str| {
        let mut said = Said::default();
        said.visit_file(&syn::parse_file(text).unwrap());
        said
    };
    let name = |text: &str| text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Name>();
    let house = |hall: &str| {
        BTreeMap::from([
            (name(""), file("mod kitchen; mod cellar; mod hall;")),
            (
                name("kitchen"),
                file("mod stove; pub use self::stove::Fire; #[cfg(test)] mod tests { use crate::hall::Door; }"),
            ),
            (name("kitchen::stove"), file("use super::Pot; fn light() { crate::cellar::coal::fetch(); }")),
            (name("cellar"), file("pub mod coal;")),
            (name("cellar::coal"), file("use crate::hall::Door;")),
            (name("hall"), file(hall)),
        ])
    };
    let found = |hall: &str| levels(&house(hall)).iter().filter_map(circle).collect::<Vec<_>>();
    assert_eq!(found("use std::io; pub struct Door;"), Vec::<Vec<String>>::new());
    let circle = found("use crate::kitchen::{Fire as Warmth};");
    assert_eq!(circle.len(), 1);
    let mut steps = circle[0].clone();
    steps.sort();
    assert_eq!(
        steps,
        ["cellar/coal uses hall::Door", "hall uses kitchen::Fire", "kitchen/stove uses cellar::coal::fetch",]
    );
}
