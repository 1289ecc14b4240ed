//! The calls of a vector, made of an image.

use daytona_image::{Command, Commands, DockerfileCommands, Image, PipInstall, Pyproject, PythonVersion, Requirements};
use serde_json::Value;

/// The chain of calls as an image.
pub(super) fn image(vector: &Value, fill: &dyn Fn(&str) -> String) -> Image {
    let mut image = None;
    for call in vector["calls"].as_array().unwrap() {
        let call = Call {
            args: call["args"].as_array().unwrap(),
            kwargs: &call["kwargs"],
            method: call["method"].as_str().unwrap(),
            fill,
        };
        image = Some(call.apply(image.as_ref()));
    }
    image.unwrap()
}

struct Call<'a> {
    method: &'a str,
    args: &'a [Value],
    kwargs: &'a Value,
    fill: &'a dyn Fn(&str) -> String,
}

impl Call<'_> {
    fn apply(&self, image: Option<&Image>) -> Image {
        let image = || image.unwrap().clone();
        match self.method {
            "base" => Image::base(self.text(0)),
            "debian_slim" if self.args.is_empty() => Image::debian_slim(PythonVersion::default()),
            "debian_slim" => Image::debian_slim(self.text(0)),
            "from_dockerfile" => Image::from_dockerfile(self.text(0)),
            "pip_install" => {
                let packages = self.args.iter().flat_map(|arg| self.texts(arg));
                image().pip_install(self.pip_options(PipInstall::new(packages)))
            }
            "pip_install_from_requirements" => {
                let mut requirements = Requirements::new(self.text(0));
                if let Some(url) = self.kwargs["index_url"].as_str() {
                    requirements = requirements.index_url(url);
                }
                image().pip_install_from_requirements(requirements)
            }
            "pip_install_from_pyproject" => image().pip_install_from_pyproject(self.pyproject()),
            "add_local_file" => image().add_local_file(self.text(0), self.text(1)),
            "add_local_dir" => image().add_local_dir(self.text(0), self.text(1)),
            "run_commands" => {
                let commands = self.args.iter().map(|arg| match arg {
                    Value::Array(_) => Command::exec(self.texts(arg)),
                    arg => Command::Shell(self.one(arg)),
                });
                image().run_commands(commands.collect::<Commands>())
            }
            "env" => {
                let pairs = self.args[0].as_object().unwrap();
                // The order of the file, which `serde_json` does not keep, is in the official text.
                let mut pairs: Vec<(String, String)> = pairs
                    .iter()
                    .map(|(key, value)| (key.clone(), self.one(value)))
                    .collect();
                pairs.sort_by_key(|(key, _)| ["Z", "A", "M"].iter().position(|other| other == key));
                image().env(pairs)
            }
            "workdir" => image().workdir(self.text(0)),
            "entrypoint" => image().entrypoint(self.texts(&self.args[0])),
            "cmd" => image().cmd(self.texts(&self.args[0])),
            "dockerfile_commands" => {
                let mut commands = DockerfileCommands::new(self.texts(&self.args[0]));
                if !self.kwargs["context_dir"].is_null() {
                    commands = commands.context_dir(self.one(&self.kwargs["context_dir"]));
                }
                image().dockerfile_commands(commands)
            }
            method => panic!("no such method: {method}"),
        }
    }

    fn text(&self, index: usize) -> String {
        self.one(&self.args[index])
    }

    fn one(&self, value: &Value) -> String {
        let text = value.as_str().or_else(|| value["$path"].as_str());
        (self.fill)(text.unwrap_or_else(|| panic!("no text: {value}")))
    }

    /// A text, or a list that may hold lists.
    fn texts(&self, value: &Value) -> Vec<String> {
        match value {
            Value::Array(values) => values.iter().flat_map(|value| self.texts(value)).collect(),
            value => vec![self.one(value)],
        }
    }

    fn pip_options(&self, mut pip: PipInstall) -> PipInstall {
        let list = |name: &str| {
            self.kwargs
                .get(name)
                .filter(|value| !value.is_null())
                .map(|value| self.texts(value))
                .unwrap_or_default()
        };
        for url in list("find_links") {
            pip = pip.find_links(url);
        }
        for url in list("index_url") {
            pip = pip.index_url(url);
        }
        for url in list("extra_index_urls") {
            pip = pip.extra_index_url(url);
        }
        if self.kwargs["pre"] == true {
            pip = pip.pre();
        }
        for options in list("extra_options") {
            pip = pip.extra_options(options);
        }
        pip
    }

    fn pyproject(&self) -> Pyproject {
        let mut pyproject = Pyproject::new(self.text(0));
        if let Some(groups) = self.args.get(1) {
            pyproject = pyproject.optional(self.texts(groups));
        }
        let text = |name: &str| self.kwargs[name].as_str();
        if let Some(url) = text("find_links") {
            pyproject = pyproject.find_links(url);
        }
        if let Some(url) = text("index_url") {
            pyproject = pyproject.index_url(url);
        }
        if let Some(url) = text("extra_index_url") {
            pyproject = pyproject.extra_index_url(url);
        }
        if self.kwargs["pre"] == true {
            pyproject = pyproject.pre();
        }
        if let Some(options) = text("extra_options") {
            pyproject = pyproject.extra_options(options);
        }
        pyproject
    }
}
