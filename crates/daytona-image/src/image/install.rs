//! Methods of an image that install packages.

use super::instruction::Instruction;
use super::{AptInstall, Image, PipInstall, Pyproject, Requirements, UvPipInstall};

impl Image {
    /// Installs Python packages with pip, sorted by name, in one layer. Without packages there is no layer.
    ///
    /// Takes packages, or a [`PipInstall`] for options.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").pip_install(["requests", "numpy>=2"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install 'numpy>=2' requests"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install(self, packages: impl Into<PipInstall>) -> Self {
        self.step("pip_install", Instruction::PipInstall(packages.into()))
    }

    /// Installs Python packages with uv into the image's own Python, sorted by name, in one layer. Without packages
    /// there is no layer.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let image = Image::base("python:3.12").uv_pip_install(["ruff"]);
    /// let plan = image.plan()?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(
    ///     line,
    ///     Some("RUN python -m pip install uv && python -m uv pip install --system ruff")
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn uv_pip_install(self, packages: impl Into<UvPipInstall>) -> Self {
        self.step("uv_pip_install", Instruction::UvPipInstall(packages.into()))
    }

    /// Installs the packages of a local requirements file with pip.
    ///
    /// Takes a path, or [`Requirements`] for options. The file is copied to `/.requirements.txt`. If it names other files, they
    /// are all copied to `/.requirements/`.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("requirements.txt"), "flask==3.0.3")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12")
    ///     .pip_install_from_requirements("requirements.txt");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install -r /.requirements.txt"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install_from_requirements(self, file: impl Into<Requirements>) -> Self {
        self.step("pip_install_from_requirements", Instruction::Requirements(file.into()))
    }

    /// Installs the dependencies of a local `pyproject.toml` with pip: those of the project, and those of the optional groups
    /// that [`Pyproject::optional`] chooses. The file itself is not sent.
    ///
    /// ```
    /// # use daytona_image::{Image, PlanOptions};
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::write(directory.path().join("pyproject.toml"), "[project]\nname = \"app\"\ndependencies = [\"flask\"]")?;
    /// # let options = PlanOptions::default().base_dir(directory.path());
    /// let image = Image::base("python:3.12").pip_install_from_pyproject("pyproject.toml");
    /// let plan = image.plan_with(&options)?;
    /// let line = plan.dockerfile().lines().last();
    /// assert_eq!(line, Some("RUN python -m pip install flask"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pip_install_from_pyproject(self, file: impl Into<Pyproject>) -> Self {
        self.step("pip_install_from_pyproject", Instruction::Pyproject(file.into()))
    }

    /// Installs Debian packages in one layer: updates the package lists, installs no recommended packages, and removes
    /// the lists. Without packages there is no layer.
    ///
    /// ```
    /// # use daytona_image::Image;
    /// let plan = Image::base("python:3.12").apt_install(["git", "curl"]).plan()?;
    /// assert_eq!(
    ///     plan.dockerfile().lines().last(),
    ///     Some(
    ///         "RUN apt-get update && apt-get install -y --no-install-recommends curl git \
    ///          && rm -rf /var/lib/apt/lists/*"
    ///     )
    /// );
    /// # Ok::<(), daytona_image::PlanError>(())
    /// ```
    #[track_caller]
    pub fn apt_install(self, packages: impl Into<AptInstall>) -> Self {
        self.step("apt_install", Instruction::AptInstall(packages.into()))
    }
}
