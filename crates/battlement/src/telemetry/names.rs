//! What others call things.

use battlement_core::Provider;

/// The provider as the GenAI conventions name it; those that they do not know have our name.
pub(super) const fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::AzureOpenAi => "azure.ai.openai",
        Provider::Bedrock => "aws.bedrock",
        Provider::Gemini => "gcp.gemini",
        Provider::Vertex => "gcp.vertex_ai",
        Provider::Mistral => "mistral_ai",
        Provider::Xai => "x_ai",
        ours => ours.as_str(),
    }
}
