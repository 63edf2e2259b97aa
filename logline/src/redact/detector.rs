//! What is looked for: the closed set of detectors, and which of them are on.

/// One kind of secret. The names are those of the replacement text and of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Detector {
    /// Credentials of an `Authorization` header, and `Bearer` and `Basic` credentials wherever they stand.
    AuthHeader,
    /// JSON web tokens.
    Jwt,
    /// AWS access key ids, secret keys, session tokens and request signatures.
    Aws,
    /// Google API keys, OAuth tokens and client secrets.
    Gcp,
    /// Azure storage and access keys, SAS signatures, client secrets.
    Azure,
    /// GitHub tokens.
    Github,
    /// GitLab tokens.
    Gitlab,
    /// Slack tokens and webhooks.
    Slack,
    /// Stripe secret and restricted keys, webhook secrets.
    Stripe,
    /// Keys of language model providers.
    AiKey,
    /// Tokens of other vendors that can be told by their prefix: npm, PyPI, Docker, SendGrid, Vault and the like.
    VendorToken,
    /// Private key blocks (PEM, PGP, OpenSSH), whole or cut off.
    PrivateKey,
    /// The password in `scheme://user:password@host`.
    UrlPassword,
    /// The value of a key that names a password.
    Password,
    /// The value of a key that names a secret, a secret key or credentials.
    Secret,
    /// The value of a key that names an API key.
    ApiKey,
    /// The value of a key that names a token.
    Token,
    /// Cookies and session ids.
    Cookie,
    /// Payment card numbers.
    CreditCard,
    /// E-mail addresses. Off unless asked for.
    Email,
    /// Patterns of the user's own.
    Own,
}

impl Detector {
    /// How many there are.
    pub const COUNT: usize = 21;

    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::AuthHeader,
        Self::Jwt,
        Self::Aws,
        Self::Gcp,
        Self::Azure,
        Self::Github,
        Self::Gitlab,
        Self::Slack,
        Self::Stripe,
        Self::AiKey,
        Self::VendorToken,
        Self::PrivateKey,
        Self::UrlPassword,
        Self::Password,
        Self::Secret,
        Self::ApiKey,
        Self::Token,
        Self::Cookie,
        Self::CreditCard,
        Self::Email,
        Self::Own,
    ];

    /// Its name in replacements and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthHeader => "auth_header",
            Self::Jwt => "jwt",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Slack => "slack",
            Self::Stripe => "stripe",
            Self::AiKey => "ai_key",
            Self::VendorToken => "vendor_token",
            Self::PrivateKey => "private_key",
            Self::UrlPassword => "url_password",
            Self::Password => "password",
            Self::Secret => "secret",
            Self::ApiKey => "api_key",
            Self::Token => "token",
            Self::Cookie => "cookie",
            Self::CreditCard => "credit_card",
            Self::Email => "email",
            Self::Own => "own",
        }
    }

    /// The detector of that name; `None` where there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// A set of detectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detectors(u32);

impl Detectors {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them, e-mail addresses included.
    pub const ALL: Self = Self((1 << Detector::COUNT) - 1);

    /// This set and `detector`.
    #[must_use]
    pub const fn with(self, detector: Detector) -> Self {
        Self(self.0 | 1 << detector as u32)
    }

    /// This set without `detector`.
    #[must_use]
    pub const fn without(self, detector: Detector) -> Self {
        Self(self.0 & !(1 << detector as u32))
    }

    /// Whether `detector` is in it.
    #[must_use]
    pub const fn has(self, detector: Detector) -> bool {
        self.0 & 1 << detector as u32 != 0
    }
}

impl Default for Detectors {
    /// Everything but e-mail addresses.
    fn default() -> Self {
        Self::ALL.without(Detector::Email)
    }
}

impl FromIterator<Detector> for Detectors {
    fn from_iter<I: IntoIterator<Item = Detector>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}
