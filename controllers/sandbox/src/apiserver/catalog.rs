//! What a server serves at the moment: every kind with its versions.
//!
//! It knows how a kind is found from a path, not what is done with its objects.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, LazyLock, OnceLock},
};

use serde_json::{Value, json};

use super::{
    compiled,
    kinds::{self, GroupResource, Kind, ResourceType, ScalePaths, Scope, StatusWrites},
    rules::Rules,
    tables::PrinterColumn,
};

/// Where a kind comes from: the rules for writing differ a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Compiled in, or served by an aggregated server.
    BuiltIn,
    /// Made by a `CustomResourceDefinition`.
    Custom,
}

/// A kind in all its versions.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: GroupResource,
    pub(super) kind: String,
    pub(super) list_kind: String,
    pub(super) singular: String,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) scope: Scope,
    pub(super) origin: Origin,
    /// How the kind is stored: group, plural and the version of the objects in storage.
    pub(super) storage: Arc<Kind>,
    /// The same without the version: where its objects are.
    pub(super) stored: GroupResource,
    /// Generation of the definition this was made from; 0 without one.
    pub(super) generation: i64,
    pub(super) versions: BTreeMap<String, Arc<Version>>,
}

/// A version of a kind.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "apiVersion is the wire's own word")]
pub(super) struct Version {
    pub(super) api_version: String,
    pub(super) name: String,
    pub(super) status: StatusWrites,
    pub(super) scale: Option<ScalePaths>,
    /// Dotted paths that field selectors may name, besides those of the metadata.
    pub(super) selectable_fields: Vec<String>,
    /// What tables show of it besides the name; none where the kind does not say.
    pub(super) columns: Vec<PrinterColumn>,
    /// What objects must look like; none means anything goes.
    pub(super) rules: Option<Arc<Rules>>,
}

/// A kind in one version, as a request addresses it.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) resource: Arc<Resource>,
    pub(super) version: Arc<Version>,
}

impl Served {
    /// How messages name it.
    pub(super) fn name(&self) -> &GroupResource {
        &self.resource.id
    }

    /// Where its objects are.
    pub(super) fn stored_as(&self) -> &GroupResource {
        &self.resource.stored
    }

    pub(super) fn is_namespaced(&self) -> bool {
        self.resource.scope == Scope::Namespaced
    }

    pub(super) fn has_status(&self) -> bool {
        self.version.status == StatusWrites::Subresource
    }
}

/// Every kind served.
#[derive(Debug, Default, Clone)]
pub(super) struct Catalog(BTreeMap<GroupResource, Arc<Resource>>);

impl Catalog {
    /// The built-in kinds.
    pub(super) fn built_in() -> Self {
        static BUILT_IN: LazyLock<Catalog> = LazyLock::new(Catalog::compiled_in);
        BUILT_IN.clone()
    }

    fn compiled_in() -> Self {
        let mut catalog = Self::default();
        for mut row in kinds::built_in() {
            row.schema = Some(built_in_schema(&row.group, &row.kind));
            catalog.install(row);
        }
        catalog
    }

    /// Adds a kind of one version, or replaces it.
    pub(super) fn install(&mut self, row: ResourceType) {
        let resource =
            GroupResource { group: Cow::Owned(row.group.clone()), plural: Cow::Owned(row.plural.clone()) };
        let version = Version {
            api_version: kinds::api_version(&row.group, &row.version),
            name: row.version.clone(),
            status: row.status,
            scale: row.scale,
            selectable_fields: Vec::new(),
            columns: row.columns,
            rules: row.schema.as_ref().and_then(|schema| rules_of(&row.kind, schema)),
        };
        let own = Kind::named(&row.group, &row.version, &row.plural);
        let storage = if own == kinds::EVENTS { kinds::CORE_EVENTS } else { own };
        self.put(Resource {
            id: resource,
            list_kind: format!("{}List", row.kind),
            kind: row.kind,
            singular: row.singular,
            short_names: row.short_names,
            categories: row.categories,
            scope: row.scope,
            origin: Origin::BuiltIn,
            stored: storage.resource(),
            storage: Arc::new(storage),
            generation: 0,
            versions: BTreeMap::from([(row.version, Arc::new(version))]),
        });
    }

    pub(super) fn put(&mut self, resource: Resource) {
        self.0.insert(resource.id.clone(), Arc::new(resource));
    }

    pub(super) fn remove(&mut self, resource: &GroupResource) {
        self.0.remove(resource);
    }

    pub(super) fn find(&self, kind: &Kind) -> Option<Served> {
        let resource = self.0.get(&kind.resource())?.clone();
        let version = resource.versions.get(kind.version.as_ref())?.clone();
        Some(Served { resource, version })
    }

    pub(super) fn get(&self, resource: &GroupResource) -> Option<&Arc<Resource>> {
        self.0.get(resource)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.values()
    }
}

/// The schemas of built-in kinds, by `GROUP/KIND`.
fn built_in_schemas() -> &'static BTreeMap<String, Value> {
    static SCHEMAS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        serde_saphyr::from_str(include_str!("built_in.yaml")).unwrap_or_else(|error| {
            tracing::error!(%error, "the schemas of built-in kinds cannot be read");
            BTreeMap::new()
        })
    })
}

/// Kinds without a row are open: their metadata is known, the rest is kept as it comes.
fn built_in_schema(group: &str, kind: &str) -> Value {
    let open = || json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    built_in_schemas().get(&format!("{group}/{kind}")).cloned().unwrap_or_else(open)
}

/// A kind whose schema cannot be compiled is served without one.
fn rules_of(kind: &str, schema: &Value) -> Option<Arc<Rules>> {
    let rules = compiled::rules(schema);
    rules.inspect_err(|error| tracing::error!(kind, %error, "a schema cannot be used")).ok()
}
