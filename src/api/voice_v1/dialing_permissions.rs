//! Where calls may go, by country: `/v1/DialingPermissions/…` (reference: rest-voice §15). Read only: the routes of
//! `tandem.toml` decide, and a country is open when a number in it has one.

use axum::extract::{OriginalUri, Path, State};
use axum::routing::get;
use axum::{Json, Router};
use base::Timestamp;
use call::office::Office;
use call::route::matches;
use serde_json::{Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::door::Origin;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    const COUNTRIES: &str = "/DialingPermissions/Countries";
    Router::new()
        .route(COUNTRIES, get(list))
        .route(&format!("{COUNTRIES}/{{iso}}"), get(fetch))
        .route(&format!("{COUNTRIES}/{{iso}}/HighRiskSpecialPrefixes"), get(prefixes))
}

/// A country: its ISO 3166 code, name, continent and codes in the world's numbering plan (ITU-T E.164).
struct Country(&'static str, &'static str, &'static str, &'static str);

async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let office = api.office.view().office();
    let is = |name: &str, value: &str| query.text(name).is_none_or(|text| text.eq_ignore_ascii_case(value));
    let open = query.choice("LowRiskNumbersEnabled")?;
    // No number here is one of these.
    let risky =
        query.flag("HighRiskSpecialNumbersEnabled")? | query.flag("HighRiskTollfraudNumbersEnabled")?;
    let rows: Vec<&Country> = COUNTRIES
        .iter()
        .filter(|Country(iso, _, continent, code)| {
            is("IsoCode", iso) && is("Continent", continent) && is("CountryCode", code)
        })
        .filter(|country| open.is_none_or(|open| open == is_open(&office, country)))
        .filter(|_| !risky)
        .collect();
    let key = |country: &&Country| (Timestamp(0), country.0.to_owned());
    let rows = paging.among(rows, key)?;
    let url = format!("{}/v1/DialingPermissions/Countries", origin.0);
    Ok(Json(paging.meta(&url, "content", rows, key, |country| show(&office, country, &origin))))
}

async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(iso): Path<String>,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    let country = country(&iso).ok_or_else(|| ApiError::not_found(uri.path()))?;
    Ok(Json(show(&api.office.view().office(), country, &origin)))
}

/// None is known: no number is dearer than its route says.
async fn prefixes(
    _: Authorized,
    OriginalUri(uri): OriginalUri,
    Path(iso): Path<String>,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    country(&iso).ok_or_else(|| ApiError::not_found(uri.path()))?;
    let paging = Paging::read(&Params::read(uri.query().unwrap_or_default().as_bytes()))?;
    let url = format!("{}{}", origin.0, uri.path());
    let none: Vec<()> = Vec::new();
    Ok(Json(paging.meta(&url, "content", none, |()| (Timestamp(0), String::new()), |()| Value::Null)))
}

fn country(iso: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.0.eq_ignore_ascii_case(iso))
}

/// Whether a route takes a number of the country.
fn is_open(office: &Office, country: &Country) -> bool {
    let number = format!("{}2025550123", country.3);
    let route = office.routes.iter().find(|route| matches(&route.pattern, &number));
    route.is_some_and(|route| !route.trunks.is_empty())
}

fn show(office: &Office, country: &Country, origin: &Origin) -> Value {
    let Country(iso, name, continent, code) = country;
    let url = format!("{}/v1/DialingPermissions/Countries/{iso}", origin.0);
    json!({
        "iso_code": iso,
        "name": name,
        "continent": continent,
        "country_codes": [code],
        "low_risk_numbers_enabled": is_open(office, country),
        "high_risk_special_numbers_enabled": false,
        "high_risk_tollfraud_numbers_enabled": false,
        "links": { "highrisk_special_prefixes": format!("{url}/HighRiskSpecialPrefixes") },
        "url": url,
    })
}

const COUNTRIES: &[Country] = &[
    Country("AR", "Argentina", "SOUTH_AMERICA", "+54"),
    Country("AT", "Austria", "EUROPE", "+43"),
    Country("AU", "Australia", "OCEANIA", "+61"),
    Country("BE", "Belgium", "EUROPE", "+32"),
    Country("BG", "Bulgaria", "EUROPE", "+359"),
    Country("BR", "Brazil", "SOUTH_AMERICA", "+55"),
    Country("CA", "Canada", "NORTH_AMERICA", "+1"),
    Country("CH", "Switzerland", "EUROPE", "+41"),
    Country("CL", "Chile", "SOUTH_AMERICA", "+56"),
    Country("CN", "China", "ASIA", "+86"),
    Country("CO", "Colombia", "SOUTH_AMERICA", "+57"),
    Country("CY", "Cyprus", "EUROPE", "+357"),
    Country("CZ", "Czech Republic", "EUROPE", "+420"),
    Country("DE", "Germany", "EUROPE", "+49"),
    Country("DK", "Denmark", "EUROPE", "+45"),
    Country("EE", "Estonia", "EUROPE", "+372"),
    Country("EG", "Egypt", "AFRICA", "+20"),
    Country("ES", "Spain", "EUROPE", "+34"),
    Country("FI", "Finland", "EUROPE", "+358"),
    Country("FR", "France", "EUROPE", "+33"),
    Country("GB", "United Kingdom", "EUROPE", "+44"),
    Country("GR", "Greece", "EUROPE", "+30"),
    Country("HK", "Hong Kong", "ASIA", "+852"),
    Country("HR", "Croatia", "EUROPE", "+385"),
    Country("HU", "Hungary", "EUROPE", "+36"),
    Country("ID", "Indonesia", "ASIA", "+62"),
    Country("IE", "Ireland", "EUROPE", "+353"),
    Country("IL", "Israel", "ASIA", "+972"),
    Country("IN", "India", "ASIA", "+91"),
    Country("IS", "Iceland", "EUROPE", "+354"),
    Country("IT", "Italy", "EUROPE", "+39"),
    Country("JP", "Japan", "ASIA", "+81"),
    Country("KE", "Kenya", "AFRICA", "+254"),
    Country("KR", "South Korea", "ASIA", "+82"),
    Country("LT", "Lithuania", "EUROPE", "+370"),
    Country("LU", "Luxembourg", "EUROPE", "+352"),
    Country("LV", "Latvia", "EUROPE", "+371"),
    Country("MA", "Morocco", "AFRICA", "+212"),
    Country("MT", "Malta", "EUROPE", "+356"),
    Country("MX", "Mexico", "NORTH_AMERICA", "+52"),
    Country("MY", "Malaysia", "ASIA", "+60"),
    Country("NG", "Nigeria", "AFRICA", "+234"),
    Country("NL", "Netherlands", "EUROPE", "+31"),
    Country("NO", "Norway", "EUROPE", "+47"),
    Country("NZ", "New Zealand", "OCEANIA", "+64"),
    Country("PE", "Peru", "SOUTH_AMERICA", "+51"),
    Country("PH", "Philippines", "ASIA", "+63"),
    Country("PL", "Poland", "EUROPE", "+48"),
    Country("PT", "Portugal", "EUROPE", "+351"),
    Country("RO", "Romania", "EUROPE", "+40"),
    Country("RS", "Serbia", "EUROPE", "+381"),
    Country("SA", "Saudi Arabia", "ASIA", "+966"),
    Country("SE", "Sweden", "EUROPE", "+46"),
    Country("SG", "Singapore", "ASIA", "+65"),
    Country("SI", "Slovenia", "EUROPE", "+386"),
    Country("SK", "Slovakia", "EUROPE", "+421"),
    Country("TH", "Thailand", "ASIA", "+66"),
    Country("TR", "Turkey", "ASIA", "+90"),
    Country("TW", "Taiwan", "ASIA", "+886"),
    Country("UA", "Ukraine", "EUROPE", "+380"),
    Country("US", "United States", "NORTH_AMERICA", "+1"),
    Country("VN", "Vietnam", "ASIA", "+84"),
    Country("ZA", "South Africa", "AFRICA", "+27"),
];
