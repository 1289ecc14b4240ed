//! The modules of one target, read from its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::code::{Code, Place};

/// All modules of a target; the first is its root.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    pub(super) modules: Vec<Module>,
}

/// A file is what circles are counted in. The modules that stand in it belong to it.
#[derive(Debug)]
pub(super) struct File {
    /// The path of its module, `snapshots::log`; `crate` for the root.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

#[derive(Debug)]
pub(super) struct Module {
    /// Index of its file.
    pub(super) file: usize,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, Vec<usize>>,
    pub(super) code: Code,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path}:{line}: {source}")]
    Syntax {
        path: PathBuf,
        line: usize,
        source: syn::Error,
    },
}

/// A module whose code is read and whose children are not yet.
struct Pending {
    module: usize,
    name: String,
    /// Where the files of its children lie, if it is not their own `#[path]` that says it.
    children: PathBuf,
    /// Where these attributes begin.
    attributes: PathBuf,
}

impl Tree {
    /// `root` is the `lib.rs` or `main.rs`.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let mut tree = Self::default();
        let folder = root.parent().unwrap_or(root).to_owned();
        let mut pending = vec![Pending {
            module: tree.file(root.to_owned(), "crate", None)?,
            name: String::new(),
            children: folder.clone(),
            attributes: folder,
        }];
        while let Some(parent) = pending.pop() {
            for child in std::mem::take(&mut tree.modules[parent.module].code.children) {
                let name = match parent.name.as_str() {
                    "" => child.name.clone(),
                    parent => format!("{parent}::{}", child.name),
                };
                let (module, children, attributes) = match child.place {
                    Place::Inline(code) => {
                        let file = tree.modules[parent.module].file;
                        let module = tree.module(file, Some(parent.module), code);
                        let folder = parent.children.join(&child.name);
                        (module, folder.clone(), folder)
                    }
                    Place::File(given) => {
                        let (path, children) = match given {
                            Some(given) => {
                                let path = parent.attributes.join(given);
                                // Such a file counts as a `mod.rs`.
                                let folder = path.parent().unwrap_or(&path).to_owned();
                                (path, folder)
                            }
                            None => {
                                let folder = parent.children.join(&child.name);
                                let flat = folder.with_extension("rs");
                                (if flat.is_file() { flat } else { folder.join("mod.rs") }, folder)
                            }
                        };
                        let attributes = path.parent().unwrap_or(&path).to_owned();
                        (tree.file(path, &name, Some(parent.module))?, children, attributes)
                    }
                };
                tree.modules[parent.module]
                    .children
                    .entry(child.name)
                    .or_default()
                    .push(module);
                pending.push(Pending {
                    module,
                    name,
                    children,
                    attributes,
                });
            }
        }
        Ok(tree)
    }

    /// Reads a file; returns the index of its module.
    fn file(&mut self, path: PathBuf, name: &str, parent: Option<usize>) -> Result<usize, Error> {
        let text = fs::read_to_string(&path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        let code = Code::of_file(&text).map_err(|source| Error::Syntax {
            path: path.clone(),
            line: source.span().start().line,
            source,
        })?;
        let name = name.to_owned();
        self.files.push(File { name, path });
        Ok(self.module(self.files.len() - 1, parent, code))
    }

    fn module(&mut self, file: usize, parent: Option<usize>, code: Code) -> usize {
        self.modules.push(Module {
            file,
            parent,
            children: BTreeMap::new(),
            code,
        });
        self.modules.len() - 1
    }
}
