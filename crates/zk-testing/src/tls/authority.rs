use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::Identity;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not make a certificate")]
pub struct IssueError(#[from] rcgen::Error);

/// A certificate authority for one test: made on the spot, trusted where the test says so.
///
/// Its keys are elliptic curve ones (P-256). Whatever it issues is valid for ages.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Makes a new authority, with a key that no other has.
    ///
    /// # Errors
    /// [`IssueError`] if the system gives no randomness.
    pub fn new() -> Result<Self, IssueError> {
        let mut params = params("zk-testing authority", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let certificate = issuer.pem();
        Ok(Self { issuer, certificate })
    }

    /// Returns the certificate by which to trust whatever this authority issues, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate for a server that is called by these host names and IP addresses.
    ///
    /// # Errors
    /// [`IssueError`] for a name that is neither.
    pub fn issue_server(&self, names: &[&str]) -> Result<Identity, IssueError> {
        let common_name = names.first().copied().unwrap_or("server");
        self.issue(params(common_name, names)?, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a certificate for a client; ZooKeeper knows it as the identity `x509:CN=NAME`.
    ///
    /// # Errors
    /// [`IssueError`] if the system gives no randomness.
    pub fn issue_client(&self, name: &str) -> Result<Identity, IssueError> {
        self.issue(params(name, &[])?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Identity, IssueError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity::from_pem(certificate.pem(), key.serialize_pem()))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn params(common_name: &str, names: &[&str]) -> Result<CertificateParams, IssueError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}
