//! Methods of an image that set what a build and a container of it start with.

use super::Image;
use super::instruction::Instruction;

impl Image {
    /// Sets environment variables, in the given order. Docker expands nothing in the values.
    ///
    /// Use an array, a `Vec` or a `BTreeMap`. A `HashMap` has a random order, so the Dockerfile, and with it the
    /// definition of a snapshot, would differ in each run.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").env([("PRICE", "5 $")]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("ENV PRICE='5 $'"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn env<K: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("env", Instruction::Env(variables))
    }

    /// Sets the working directory of the following steps and of the sandbox. Docker expands nothing in the path.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").workdir("/app");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("WORKDIR /app"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn workdir(self, path: impl Into<String>) -> Self {
        self.step("workdir", Instruction::Workdir(path.into()))
    }

    /// Sets the program that a sandbox starts, and its arguments.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").entrypoint(["python", "main.py"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"ENTRYPOINT ["python", "main.py"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn entrypoint<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("entrypoint", Instruction::Entrypoint(words))
    }

    /// Sets the default arguments of the entrypoint. The service reads only the entrypoint.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").cmd(["--port", "80"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"CMD ["--port", "80"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cmd<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("cmd", Instruction::Cmd(words))
    }

    /// Sets the user of the following steps and of the sandbox: a name or an id, with an optional group after a colon.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").user("app:app");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("USER app:app"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn user(self, user: impl Into<String>) -> Self {
        self.step("user", Instruction::User(user.into()))
    }

    /// Sets labels of the image, in the given order. Docker expands nothing in the values.
    ///
    /// Use an array, a `Vec` or a `BTreeMap`. A `HashMap` has a random order, so the Dockerfile, and with it the
    /// definition of a snapshot, would differ in each run.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").label([("team", "data")]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("LABEL team=data"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn label<K: Into<String>, V: Into<String>>(self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        let labels = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.step("label", Instruction::Label(labels))
    }

    /// Documents a port that the image listens on: `8080`, `53/udp`, `9000-9010`.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").expose(8080);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("EXPOSE 8080"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a number or a text, as all methods take their values"
    )]
    pub fn expose(self, port: impl ToString) -> Self {
        self.step("expose", Instruction::Expose(port.to_string()))
    }

    /// Declares a build variable and its value. The service takes no build arguments, so the build uses this value.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").arg("VERSION", "1.2");
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("ARG VERSION=1.2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn arg(self, name: impl Into<String>, default: impl Into<String>) -> Self {
        let (name, default) = (name.into(), default.into());
        self.step("arg", Instruction::Arg { name, default })
    }

    /// Sets the shell of the following shell commands.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").shell(["/bin/bash", "-c"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some(r#"SHELL ["/bin/bash", "-c"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn shell<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.step("shell", Instruction::Shell(words))
    }
}
