//! The shape of the libraries: no circle of imports, and no type that is too long to be read at one time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemImpl, ItemMod, ItemUse, Type, UseTree, Visibility};

/// How many lines a type may have, its documentation and its methods included.
const LONGEST_TYPE: usize = 200;

/// A module by the names from the root of its crate on.
type Module = Vec<String>;

/// The modules of a crate, without those of its tests.
fn modules(name: &str) -> BTreeMap<Module, syn::File> {
    let mut found = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    collect(&source, &[], &mut found);
    assert!(found.contains_key(&Module::new()), "{name} has a root");
    found
}

fn collect(folder: &Path, module: &[String], found: &mut BTreeMap<Module, syn::File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_source = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        if !is_source || name == "tests" || name == "main" {
            continue;
        }
        let mut at = module.to_vec();
        if name != "lib" {
            at.push(name);
        }
        if path.is_dir() {
            collect(&path, &at, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.insert(at, file);
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
    };
    attributes.iter().any(is_test)
}

/// The modules that one module names, apart from what it only exports again.
struct Imports<'a> {
    known: &'a BTreeMap<Module, syn::File>,
    module: &'a Module,
    imported: BTreeSet<Module>,
}

impl Imports<'_> {
    fn add(&mut self, path: &[String]) {
        let mut at = self.module.clone();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate") => (at, rest) = (Module::new(), &path[1..]),
            Some("self") => rest = &path[1..],
            Some("super") => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            // A child, or another crate.
            Some(name) if self.known.contains_key(&[at.as_slice(), &[name.to_owned()]].concat()) => {}
            _ => return,
        }
        for name in rest {
            at.push(name.clone());
            if !self.known.contains_key(&at) {
                at.pop();
                break;
            }
        }
        if at != *self.module {
            self.imported.insert(at);
        }
    }

    fn add_tree(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.add_tree(&part.tree, path);
                path.pop();
            }
            UseTree::Name(name) => self.add(&[path.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.add(&[path.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.add(path),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, path)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !matches!(item.vis, Visibility::Public(_)) {
            self.add_tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if names.len() > 1 {
            self.add(&names);
        }
        visit::visit_path(self, path);
    }
}

fn imports(known: &BTreeMap<Module, syn::File>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let of = |(module, file)| {
        let mut imports = Imports { known, module, imported: BTreeSet::new() };
        imports.visit_file(file);
        (module, imports.imported)
    };
    known.iter().map(of).collect()
}

/// The modules that import one another, directly or through others: those that are left when all that import nothing, or
/// only what is gone, are taken away again and again; and so with those that nobody imports.
fn circle(mut imports: BTreeMap<&Module, BTreeSet<Module>>) -> Vec<String> {
    loop {
        let left: BTreeSet<Module> = imports.keys().map(|module| (*module).clone()).collect();
        let imported: BTreeSet<Module> = imports.values().flatten().cloned().collect();
        let before = imports.len();
        imports.retain(|module, names| !names.is_disjoint(&left) && imported.contains(*module));
        if imports.len() == before {
            return imports.keys().map(|module| format!("crate::{}", module.join("::"))).collect();
        }
    }
}

/// How many lines each type has, with its methods, by its name; by module and name where several have that name.
fn lengths(known: &BTreeMap<Module, syn::File>) -> BTreeMap<String, usize> {
    let (mut parts, mut definitions) = (Vec::new(), BTreeMap::new());
    for (module, item) in
        known.iter().flat_map(|(module, file)| file.items.iter().map(move |item| (module, item)))
    {
        let (name, is_definition) = match item {
            Item::Struct(it) => (Some(it.ident.to_string()), true),
            Item::Enum(it) => (Some(it.ident.to_string()), true),
            Item::Trait(it) => (Some(it.ident.to_string()), true),
            Item::Impl(it) if !is_for_tests(&it.attrs) => (type_name(it), false),
            _ => (None, false),
        };
        if let Some(name) = name {
            *definitions.entry(name.clone()).or_insert(0) += usize::from(is_definition);
            parts.push((module, name, item.span().end().line - item.span().start().line + 1));
        }
    }
    let mut lengths = BTreeMap::new();
    for (module, name, lines) in parts {
        let key = if definitions[&name] > 1 { format!("{}::{name}", module.join("::")) } else { name };
        *lengths.entry(key).or_default() += lines;
    }
    lengths
}

fn type_name(item: &ItemImpl) -> Option<String> {
    let Type::Path(path) = &*item.self_ty else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

#[test]
fn no_modules_of_a_library_import_one_another_in_a_circle() {
    for name in
        ["balance", "discovery", "registry", "root-watch", "oracle", "roster", "zk-core", "zk-simulated"]
    {
        let known = modules(name);
        let found = imports(&known);
        assert!(found.values().any(|names| !names.is_empty()), "{name}: imports are found");
        assert_eq!(circle(found), [""; 0], "{name}");
    }
}

#[test]
fn no_type_is_longer_than_two_hundred_lines() {
    for name in ["balance", "discovery", "registry", "root-watch", "roster"] {
        let lengths = lengths(&modules(name));
        assert!(lengths.values().any(|lines| *lines > LONGEST_TYPE / 2), "{name}: types are found");
        let too_long: Vec<_> = lengths.iter().filter(|(_, lines)| **lines > LONGEST_TYPE).collect();
        assert!(too_long.is_empty(), "{name}: {too_long:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let (a, b, c, d) = (module("a"), module("b"), module("c"), module("d"));
    let edges = |pairs: &[(usize, usize)]| {
        let all = [&a, &b, &c, &d];
        let mut edges: BTreeMap<&Module, BTreeSet<Module>> =
            all.iter().map(|m| (*m, BTreeSet::new())).collect();
        for (from, to) in pairs {
            edges.get_mut(all[*from]).unwrap().insert(all[*to].clone());
        }
        edges
    };
    assert_eq!(circle(edges(&[(0, 1), (1, 2), (0, 2), (3, 0)])), [""; 0]);
    assert_eq!(circle(edges(&[(0, 1), (1, 2), (2, 1), (2, 3)])), ["crate::b", "crate::c"]);
}

/// The names of types that the root of a crate exports.
fn exported_types(name: &str) -> Vec<String> {
    fn leaves(tree: &UseTree, found: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => leaves(&path.tree, found),
            UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, found)),
            UseTree::Name(name) => found.push(name.ident.to_string()),
            UseTree::Rename(rename) => found.push(rename.rename.to_string()),
            UseTree::Glob(_) => {}
        }
    }
    let mut found = Vec::new();
    for item in &modules(name)[&Module::new()].items {
        if let Item::Use(ItemUse { vis: Visibility::Public(_), tree, .. }) = item {
            leaves(tree, &mut found);
        }
    }
    // Functions and constants are told by their case.
    found.retain(|name| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase));
    found
}

/// Who uses several libraries imports their types without renaming any.
#[test]
fn no_two_libraries_export_types_of_the_same_name() {
    let mut by_name = BTreeMap::<String, Vec<&str>>::new();
    for name in ["balance", "discovery", "instance", "registry", "root-watch", "zk-core"] {
        let exported = exported_types(name);
        assert!(exported.len() > 4, "{name}: exports are found");
        exported.into_iter().for_each(|exported| by_name.entry(exported).or_default().push(name));
    }
    by_name.retain(|_, names| names.len() > 1);
    assert!(by_name.is_empty(), "{by_name:?}");
}
